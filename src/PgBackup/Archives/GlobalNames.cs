namespace PgBackup.Archives;

/// <summary>What the globals of a snapshot make at a target, by name. Of settings of all roles, upper and lower case do not
/// matter.</summary>
internal sealed record GlobalNames(IReadOnlySet<string> Roles, IReadOnlySet<string> Tablespaces, IReadOnlySet<string> Settings)
{
    /// <summary>Those of a restore without globals.</summary>
    public static GlobalNames None { get; } = new(new HashSet<string>(), new HashSet<string>(), new HashSet<string>());
}
