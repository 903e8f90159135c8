namespace PgBackup.Neon;

/// <summary>One thing that was asked for, or why it is not there.</summary>
internal sealed record NeonTold<T>(T? Value, NeonProblem? Problem)
    where T : class
{
    /// <summary>It is not there.</summary>
    public static NeonTold<T> Nothing(string why, string fix) => new(null, new NeonProblem(why, fix));
}
