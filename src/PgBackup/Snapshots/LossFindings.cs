using System.Globalization;

namespace PgBackup.Snapshots;

/// <summary>Losses as findings: every face says them in the same words.</summary>
public static class LossFindings
{
    // Of one database; a dropped schema has hundreds of tables.
    private const int MostOfDatabase = 10;

    /// <summary>The losses of a snapshot as findings: of each database the first ten, and how many more there are.</summary>
    /// <param name="losses">The losses, the grave ones first.</param>
    /// <param name="snapshot">The snapshot that has them.</param>
    /// <param name="isConfirmed">Whether a person confirmed one.</param>
    public static IReadOnlyList<Finding> Of(IReadOnlyList<Loss> losses, string snapshot, Func<Loss, bool> isConfirmed)
    {
        List<Finding> findings = [];
        foreach (IGrouping<string, Loss> database in losses.GroupBy(static l => l.Database, StringComparer.Ordinal))
        {
            findings.AddRange(database.Take(MostOfDatabase).Select(l => Of(l, snapshot, isConfirmed(l))));
            List<Finding> more = [.. database.Skip(MostOfDatabase).Select(l => Of(l, snapshot, isConfirmed(l)))];
            if (more.MaxBy(static f => f.Severity) is { } gravest)
            {
                string count = more.Count == 1 ? "1 more loss" : string.Create(CultureInfo.InvariantCulture, $"{more.Count} more losses");
                findings.Add(
                    gravest with
                    {
                        Subject = database.Key,
                        What = $"{database.Key}: {count} in {snapshot}",
                        Why = null,
                        Fix = $"`olympus-pgbackup show {snapshot}` names them",
                    }
                );
            }
        }

        return findings;
    }

    /// <summary>A loss of a snapshot as a finding.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="snapshot">The snapshot that has it.</param>
    /// <param name="isConfirmed">A person confirmed it: it is worth knowing, and no more.</param>
    public static Finding Of(Loss loss, string snapshot, bool isConfirmed)
    {
        bool settled = isConfirmed || loss.IsExpected;
        string what = loss.Kind switch
        {
            LossKind.DatabaseGone => $"the database {loss.Database} is not in the snapshot {snapshot}",
            LossKind.TableGone => $"{loss.Database}: the table {loss.Table} is gone in {snapshot}",
            LossKind.ColumnGone => $"{loss.Database}: the column {loss.Column} of {loss.Table} is gone in {snapshot}",
            LossKind.TableEmptied => $"{loss.Database}: the table {loss.Table} is empty in {snapshot}",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"{loss.Database}: the table {loss.Table} has {loss.Now:N0} rows in {snapshot}, less than half"
            ),
        };
        string renamed = loss.RenamedTo is { } name ? $"; it looks renamed to {name}, which has the same rows" : "";
        string why = string.Create(CultureInfo.InvariantCulture, $"{loss.Since} has it, with {loss.Before:N0} rows{renamed}");
        string state = loss.IsExpected ? "; it was expected" : "; it is confirmed";
        return new Finding
        {
            Code = CodeOf(loss.Kind),
            Severity = settled ? Severity.Note : loss.Severity,
            Subject = loss.Subject,
            What = what,
            Why = settled ? why + state : why,
            Fix = settled ? null : Fix(loss, snapshot),
        };
    }

    // To confirm is about this loss alone: nobody has looked at the others. To bring it back stands beside it, or it is confirmed blindly.
    private static string Fix(Loss loss, string snapshot)
    {
        string table = loss.Table is null ? "" : $" --table {ShellText.Word(Foreign.Line(loss.Table))} --into-schema rescued";
        string database = ShellText.Word(Foreign.Line(loss.Database));
        return $"If that was meant: `olympus-pgbackup confirm {snapshot} --table {ShellText.Word(Foreign.Line(loss.Subject))}`. "
            + $"If not, it is in {loss.Since}: `olympus-pgbackup restore {loss.Since} -d {database}{table} -t TARGET -i KEY`";
    }

    /// <summary>A loss of an older snapshot that the newest complete one does not have any more: it is mended, and worth knowing.</summary>
    /// <param name="finding">The loss, as <see cref="Of(Loss, string, bool)"/> says it.</param>
    /// <param name="newest">The snapshot that has again what was lost.</param>
    public static Finding Mended(Finding finding, string newest) =>
        finding with
        {
            Severity = Severity.Note,
            Why = $"{finding.Why}; {newest} has it again",
        };

    private static ErrorCode CodeOf(LossKind kind) =>
        kind switch
        {
            LossKind.DatabaseGone => ErrorCode.DatabaseGone,
            LossKind.TableGone => ErrorCode.TableGone,
            LossKind.ColumnGone => ErrorCode.ColumnGone,
            LossKind.TableEmptied => ErrorCode.TableEmptied,
            _ => ErrorCode.TableShrunk,
        };
}
