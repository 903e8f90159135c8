namespace PgBackup.Soak.Bench;

/// <summary>How long things may take before they count as hanging: far more than they take on a busy machine.</summary>
internal static class Limits
{
    /// <summary>Of one call of the program, in seconds.</summary>
    public const double Call = 150;

    /// <summary>Until everything that a program started is gone, in seconds: its tools have five seconds before they are killed.</summary>
    public const double Settling = 20;
}
