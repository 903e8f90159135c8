using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Restore;

/// <summary>What a restore does with a database that is at the target already and has something in it.</summary>
public enum WhenNotEmpty
{
    /// <summary>Nothing is restored.</summary>
    Refuse,

    /// <summary>The snapshot's is restored beside it and, once all are proven equal, takes its name; the present one is kept under
    /// another.</summary>
    Swap,

    /// <summary>It is dropped.</summary>
    Drop,
}

/// <summary>What a restore is going to do. It is made without changing anything, and carried out as it is.</summary>
public sealed record RestorePlan
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>How long ago it was taken.</summary>
    public required double AgeSeconds { get; init; }

    /// <summary>The store it comes from.</summary>
    public required string Store { get; init; }

    /// <summary>The target, without secrets.</summary>
    public required string Target { get; init; }

    /// <summary>Roles, their passwords and memberships are restored first.</summary>
    public required bool Globals { get; init; }

    /// <summary>Each database.</summary>
    public required IReadOnlyList<RestoreStep> Databases { get; init; }

    /// <summary>
    /// What is known beforehand. <see cref="ErrorCode.TargetFallsShort"/>: what the target's role may not do or its server cannot hold, and
    /// so will fail; everything else is restored. <see cref="ErrorCode.RoleKept"/>: what roles of the target keep, so that the restore is
    /// not locked out. <see cref="ErrorCode.SwapLeftover"/>: databases that earlier swaps kept or left, and what can be done with each.
    /// Losses of the snapshot that nobody has confirmed, with the newest one that has none.
    /// </summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>The databases that are replaced though they have rows later than the snapshot.</summary>
    [JsonIgnore]
    public IEnumerable<RestoreStep> Newer => Databases.Where(static d => d.NewerBySeconds is not null);

    /// <summary>The names of the databases that are dropped.</summary>
    [JsonIgnore]
    public IEnumerable<string> Dropped => Databases.Where(static d => d.Action == RestoreStep.Drop).Select(static d => d.Name);
}

/// <summary>What is going to be done for one database.</summary>
public sealed record RestoreStep
{
    /// <summary>It is not there, and is made.</summary>
    public const string Make = "make";

    /// <summary>It is there and empty, and is filled.</summary>
    public const string Fill = "fill";

    /// <summary>It is there; it is dropped and made anew.</summary>
    public const string Drop = "drop";

    /// <summary>It is there; the new one is made beside it, and they change places.</summary>
    public const string Swap = "swap";

    /// <summary>The name in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>The name at the target.</summary>
    public required string Name { get; init; }

    /// <summary>One of the constants.</summary>
    public required string Action { get; init; }

    /// <summary>For a swap: the name of the new one until it takes its place.</summary>
    public string? Copy { get; init; }

    /// <summary>For a swap: the name that the present one gets.</summary>
    public string? KeptAs { get; init; }

    /// <summary>How many objects the present one has; null when there is none, or it does not let us in.</summary>
    public long? Objects { get; init; }

    /// <summary>Its size; null when there is none, or it is not known.</summary>
    public long? Bytes { get; init; }

    /// <summary>How many sessions are in it.</summary>
    public long Sessions { get; init; }

    /// <summary>The latest time in a row of the present one, UTC; null when there is none, or it does not matter.</summary>
    public DateTimeOffset? NewestRow { get; init; }

    /// <summary>The column that has it.</summary>
    public string? NewestRowIn { get; init; }

    /// <summary>How much later than the snapshot that is; null when it is not.</summary>
    public double? NewerBySeconds { get; init; }

    /// <summary>Why it is not known whether the present one is newer; null when it is known, or does not matter.</summary>
    public string? NewestRowUntold { get; init; }

    /// <summary>The same, with what was found of the rows of a database that this replaces.</summary>
    internal RestoreStep With(NewestRow newest, DateTimeOffset snapshot) =>
        this with
        {
            NewestRow = newest.At,
            NewestRowIn = newest.Column,
            NewerBySeconds = newest.At > snapshot ? Math.Round((newest.At.Value - snapshot).TotalSeconds, 3) : null,
            NewestRowUntold = newest.At > snapshot ? null : newest.Untold,
        };

    /// <summary>What is to be done for a part, where this was found.</summary>
    /// <exception cref="PgBackupException">What was found may not be, or cannot be, filled or replaced.</exception>
    internal static RestoreStep For(Part part, string name, TargetDatabase? found, WhenNotEmpty whenNotEmpty, SnapshotId now, string target)
    {
        var step = new RestoreStep
        {
            Database = part.Database!,
            Name = name,
            Action = Make,
        };
        if (found is null)
        {
            return step;
        }

        step = step with { Objects = found.Objects, Bytes = found.Bytes, Sessions = found.Sessions };
        // One that only has the extensions of an administrator may be all that a managed service gives, and is as good as empty.
        bool empty = found.Objects == 0 || (found.HasOnlyExtensions && (whenNotEmpty == WhenNotEmpty.Refuse || !found.MayReplace));
        if (empty && found.Encoding == part.Encoding)
        {
            return step with { Action = Fill };
        }

        if (whenNotEmpty == WhenNotEmpty.Refuse)
        {
            found.Refuse(part.Encoding!, target);
        }

        found.RequireReplaceable(drop: whenNotEmpty == WhenNotEmpty.Drop, target);
        return whenNotEmpty == WhenNotEmpty.Drop
            ? step with
            {
                Action = Drop,
            }
            : step with
            {
                Action = Swap,
                Copy = DatedName(name, "restore", now),
                KeptAs = DatedName(name, "before", now),
            };
    }

    /// <summary>
    /// <c>NAME_WORD_20260301T030000Z</c>, in at most the 63 bytes of a name. Where that needs a cut, a digest of the whole name stands in
    /// place of its end, so that two long names stay two.
    /// </summary>
    internal static string DatedName(string name, string word, SnapshotId time) => DatedStem(name, word) + time;

    /// <summary>What such a name begins with, up to its time.</summary>
    internal static string DatedStem(string name, string word)
    {
        const int Longest = 63;
        const int TimeLength = 16;
        string end = $"_{word}_";
        if (Encoding.UTF8.GetByteCount(name) + end.Length + TimeLength <= Longest)
        {
            return name + end;
        }

        end = $"~{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8]}{end}";
        var start = new StringBuilder();
        int room = Longest - TimeLength - end.Length;
        foreach (Rune rune in name.EnumerateRunes())
        {
            room -= rune.Utf8SequenceLength;
            if (room < 0)
            {
                break;
            }

            start.Append(rune);
        }

        return start + end;
    }

    /// <summary>The statements that put the database back that this swap replaced; the restored one is kept, closed, under another
    /// name.</summary>
    internal IReadOnlyList<string> Undo() =>
        [
            $"ALTER DATABASE {Sql.Name(Name)} ALLOW_CONNECTIONS false;",
            $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {Sql.Literal(Name)};",
            "BEGIN;",
            $"ALTER DATABASE {Sql.Name(Name)} RENAME TO {Sql.Name(Copy!)};",
            $"ALTER DATABASE {Sql.Name(KeptAs!)} RENAME TO {Sql.Name(Name)};",
            "COMMIT;",
        ];

    /// <summary>The statements that make this swap, for someone whose sessions have left the database.</summary>
    internal IReadOnlyList<string> Renames() =>
        [
            $"ALTER DATABASE {Sql.Name(Name)} RENAME TO {Sql.Name(KeptAs!)};",
            $"ALTER DATABASE {Sql.Name(Copy!)} RENAME TO {Sql.Name(Name)};",
        ];
}
