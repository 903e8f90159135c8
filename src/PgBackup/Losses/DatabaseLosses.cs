using System.Globalization;
using PgBackup.Applications;
using PgBackup.Archives;
using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>The losses in one database of a new snapshot.</summary>
internal sealed class DatabaseLosses
{
    private readonly string database;
    private readonly TableGroups today;
    private readonly LossHistory history;
    private readonly IReadOnlyList<EarlierSnapshot> earlier;
    private readonly Dictionary<EarlierSnapshot, TableGroups> then = [];
    private readonly TableClasses classes;
    private readonly DateTimeOffset time;
    private readonly HashSet<string> ever;
    private readonly ILookup<string, Loss> open;
    private readonly List<Finding> notes = [];

    /// <summary>Prepares.</summary>
    /// <param name="now">The new snapshot.</param>
    /// <param name="part">The database in it.</param>
    /// <param name="history">The earlier snapshots.</param>
    /// <param name="classes">What tables may lose.</param>
    public DatabaseLosses(Manifest now, Part part, LossHistory history, TableClasses classes)
    {
        database = part.Database!;
        this.history = history;
        earlier = history.Snapshots;
        this.classes = classes;
        time = SnapshotId.TryParse(now.Id)!.Value.Time;
        Dictionary<string, string> roots = Roots(part, earlier);
        today = new TableGroups(part, roots);
        foreach (EarlierSnapshot snapshot in earlier)
        {
            if (snapshot.Database(database) is { } before)
            {
                then[snapshot] = new TableGroups(before, before.Tables is null ? WithDated(roots, before) : roots);
            }
        }

        open = earlier
            .SelectMany(static s => s.Open)
            .Where(l => l.Database == database && l.Table is not null)
            .ToLookup(static l => l.Table!, StringComparer.Ordinal);
        ever = new HashSet<string>(today.Names, StringComparer.Ordinal);
        ever.UnionWith(then.Values.SelectMany(static t => t.Names));
    }

    /// <summary>Partitions that went because they were old; complete after <see cref="Find"/>.</summary>
    public IReadOnlyList<Finding> Notes => notes;

    /// <summary>Finds them. To be called once.</summary>
    public IEnumerable<Loss> Find()
    {
        List<Loss> losses = [];
        HashSet<string> tables = new(then.Values.SelectMany(static t => t.Names), StringComparer.Ordinal);
        tables.UnionWith(open.Select(static t => t.Key));
        foreach (string table in tables)
        {
            LossTrail trail = LossTrail.Of(history, database, table, null);
            if (!today.Has(table))
            {
                Add(Gone(table, trail));
                continue;
            }

            Add(Rows(table, trail));
            losses.AddRange(Columns(table));
            losses.AddRange(Partitions(table, trail));
        }

        // A partition of which the loss is known already is found twice.
        return losses.DistinctBy(static l => (l.Table, l.Column));

        void Add(Loss? loss) => losses.AddRange(loss is null ? [] : [loss]);
    }

    // The tops of partitions, by all that say them: a manifest of an older version does not.
    private static Dictionary<string, string> Roots(Part part, IEnumerable<EarlierSnapshot> earlier)
    {
        Dictionary<string, string> roots = new(StringComparer.Ordinal);
        foreach (Part one in earlier.Select(s => s.Database(part.Database!)).OfType<Part>().Reverse().Append(part))
        {
            foreach ((string table, Proofs.TableShape shape) in one.Tables ?? [])
            {
                if (shape.Root is { } root)
                {
                    roots[table] = root;
                }
            }
        }

        return roots;
    }

    // An old partition that went before this version saw it.
    private static Dictionary<string, string> WithDated(Dictionary<string, string> roots, Part part)
    {
        Dictionary<string, string> all = new(roots, StringComparer.Ordinal);
        HashSet<string> tops = [.. roots.Values];
        foreach (string table in part.Proof.Tables.Keys.Where(t => !roots.ContainsKey(t) && ScriptShapes.DateInName(t) is not null))
        {
            if (tops.FirstOrDefault(top => table.StartsWith(top + "_", StringComparison.Ordinal)) is { } root)
            {
                all[table] = root;
            }
        }

        return all;
    }

    private Loss? Gone(string table, LossTrail trail)
    {
        if (trail.Good is not [var reference, ..])
        {
            // The snapshot that it is since is not among them any more.
            return trail.Carried is { Kind: not LossKind.DatabaseGone } carried
                ? Of(LossKind.TableGone, table, carried.Before, 0, carried.Since) with
                {
                    RenamedTo = carried.RenamedTo,
                }
                : null;
        }

        if (!then.TryGetValue(reference, out TableGroups? before) || !before.Has(table) || IsElsewhere(table, before))
        {
            return null;
        }

        return Of(LossKind.TableGone, table, before.Rows(table), 0, reference.Manifest.Id) with
        {
            RenamedTo = before.Members(table) is [var alone]
                ? today.Like(before.Part.Proof.Tables[alone], name => !before.Part.Proof.Tables.ContainsKey(name))
                : null,
        };
    }

    // A table with partitions that is gone, while all of them are tables of their own now.
    private bool IsElsewhere(string table, TableGroups before) =>
        before.Members(table) is { Count: > 0 } members && members.All(m => m != table && today.Has(m));

    private Loss? Rows(string table, LossTrail trail)
    {
        TableClass kind = classes.ClassOf(database, table, ever.Contains);
        long rows = today.Rows(table);
        return kind switch
        {
            TableClass.Ephemeral => null,
            TableClass.Durable => DurableRows(table, rows, trail),
            _ => UsualRows(table, rows, trail),
        };
    }

    private Loss? DurableRows(string table, long rows, LossTrail trail)
    {
        List<EarlierSnapshot> good = WithTable(table, trail);
        EarlierSnapshot?[] references =
        [
            good.FirstOrDefault(),
            .. LossRules.LongAgo.Select(span => good.FirstOrDefault(s => time - s.Time >= span - LossReferences.Jitter)),
        ];
        foreach (EarlierSnapshot reference in references.OfType<EarlierSnapshot>())
        {
            if (Less(table, rows, RowsThen(table, then[reference]), reference.Manifest.Id) is { } loss)
            {
                return loss;
            }
        }

        return trail.Carried is { } known && known.Table == table ? Less(table, rows, known.Before, known.Since) : null;
    }

    private Loss? Less(string table, long rows, long before, string since) =>
        rows >= before - rows ? null
        : rows == 0 && before >= LossRules.FewestRows ? Of(LossKind.TableEmptied, table, before, 0, since)
        : Of(LossKind.TableShrunk, table, before, rows, since);

    private Loss? UsualRows(string table, long rows, LossTrail trail)
    {
        List<EarlierSnapshot> good = WithTable(table, trail);
        Loss? known = trail.Carried?.Table == table ? trail.Carried : null;
        if (good.Count == 0 && known is null)
        {
            return null;
        }

        long least = good.Count > 0 ? Least([.. good.Take(LossRules.UsualNights).Select(s => RowsThen(table, then[s]))]) : known!.Before;
        (long before, string since) = good.Count > 0 ? (RowsThen(table, then[good[0]]), good[0].Manifest.Id) : (known!.Before, known.Since);
        if (least < LossRules.FewestRows || rows >= least - rows)
        {
            return null;
        }

        bool isGrave = rows == 0 || known is not null || rows < (decimal)least / 10;
        return Of(rows == 0 ? LossKind.TableEmptied : LossKind.TableShrunk, table, before, rows, since) with
        {
            Severity = isGrave ? Severity.Error : Severity.Warning,
        };
    }

    // The lowest of what it had, newest first. What it had before it first grew to half of its size is no dip.
    private static long Least(IReadOnlyList<long> rows)
    {
        int first = rows.Count - 1;
        while (rows[first] < rows[0] - rows[first])
        {
            first--;
        }

        return rows.Take(first + 1).Min();
    }

    // Back to the first that does not have it: what had the same name before is another table.
    private List<EarlierSnapshot> WithTable(string table, LossTrail trail) =>
        [.. trail.Good.TakeWhile(s => then.TryGetValue(s, out TableGroups? before) && before.Has(table))];

    // Without the partitions that went because they were old, and those that are tables elsewhere now.
    private long RowsThen(string table, TableGroups before) =>
        before.Members(table).Where(m => m == table || IsIn(m, table) || (!today.Has(m) && !IsOld(m, table, before))).Sum(before.RowsOf);

    private bool IsIn(string member, string table) => today.Roots.GetValueOrDefault(member) == table;

    // It went, and a younger one of the same table is there.
    private bool IsOld(string member, string table, TableGroups before) =>
        !today.Has(member)
        && before.DateOf(member) is { } date
        && today.Members(table).Any(m => string.CompareOrdinal(today.DateOf(m), date) > 0);

    private IEnumerable<Loss> Columns(string table)
    {
        if (today.Columns(table) is not { } have)
        {
            yield break;
        }

        HashSet<string> missing = new(open[table].Select(static l => l.Column).OfType<string>(), StringComparer.Ordinal);
        foreach (EarlierSnapshot snapshot in earlier)
        {
            HashSet<string>? columns = then.GetValueOrDefault(snapshot)?.Columns(table);
            missing.UnionWith(columns ?? []);
            if (columns is not null && !open[table].Any() && snapshot.OpenLoss(database, null, null) is null)
            {
                break; // it is the reference of all of them
            }
        }

        missing.ExceptWith(have);
        foreach (string column in missing)
        {
            if (ColumnGone(table, column) is { } gone)
            {
                yield return gone;
            }
        }
    }

    private Loss? ColumnGone(string table, string column)
    {
        LossTrail trail = LossTrail.Of(history, database, table, column);
        // One whose manifest does not say columns says nothing, unless it lacks the table.
        EarlierSnapshot? reference = trail.Good.FirstOrDefault(s =>
            !then.TryGetValue(s, out TableGroups? before) || !before.Has(table) || before.Columns(table) is not null
        );
        if (reference is not null)
        {
            return then.TryGetValue(reference, out TableGroups? before) && before.Columns(table)?.Contains(column) == true
                ? Of(LossKind.ColumnGone, table, before.Rows(table), 0, reference.Manifest.Id) with
                {
                    Column = column,
                }
                : null;
        }

        return trail.Carried is { Kind: LossKind.ColumnGone } known
            ? Of(LossKind.ColumnGone, table, known.Before, 0, known.Since) with
            {
                Column = column,
            }
            : null;
    }

    // Of a table that stays. A partition that is not one of time may go when its rows are in the others.
    private IEnumerable<Loss> Partitions(string table, LossTrail trail)
    {
        if (trail.Good is not [var last, ..] || !then.TryGetValue(last, out TableGroups? before))
        {
            yield break;
        }

        foreach (string member in before.Members(table).Where(m => m != table && !today.Has(m)))
        {
            if (IsOld(member, table, before))
            {
                if (earlier[0] == last)
                {
                    notes.Add(OldPartition(member, table, before.RowsOf(member), last.Manifest.Id));
                }
            }
            else if (today.Rows(table) < before.Rows(table) - (before.RowsOf(member) / 2))
            {
                LossTrail own = LossTrail.Of(history, database, member, null);
                if (Gone(member, own) is { } gone)
                {
                    yield return gone;
                }
            }
        }
    }

    private Finding OldPartition(string member, string table, long rows, string since) =>
        Finding.Note(
            ErrorCode.TableGone,
            $"{database}.{member}",
            $"{database}: the old partition {member} of {table} is gone",
            string.Create(CultureInfo.InvariantCulture, $"{since} has it, with {rows:N0} rows; a younger one is there")
        );

    private Loss Of(LossKind kind, string table, long before, long rows, string since) =>
        new()
        {
            Kind = kind,
            Database = database,
            Table = table,
            Before = before,
            Now = rows,
            Since = since,
            Severity = Severity.Error,
        };
}
