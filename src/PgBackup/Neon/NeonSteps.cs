using System.Globalization;
using System.Text;
using System.Text.Json;
using PgBackup.Configuration;

namespace PgBackup.Neon;

/// <summary>
/// How a person brings a branch of Neon back to a moment: in the console, or by commands to copy. Nothing of it is carried out here. Pure.
/// </summary>
/// <remarks>Source: neon.com/docs/reference/api/branches/restore-project-branch and .../create-project-branch,
/// neon.com/docs/guides/backup-restore, read on 2026-11-28.</remarks>
public static class NeonSteps
{
    private static readonly string[] WithZone = ["zzz", "'Z'"];
    private static readonly string[] Forms =
    [
        .. from day in (string[])["yyyy-MM-dd'T'", "yyyy-MM-dd' '"]
        from clock in (string[])["HH:mm:ss.FFFFFFF", "HH:mm"]
        from zone in WithZone
        select day + clock + zone,
    ];

    /// <summary>Reads a moment: a date and a time with a zone, for instance <c>2026-11-27T03:00:00Z</c> or
    /// <c>2026-11-27T04:00+01:00</c>.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>.</exception>
    public static DateTimeOffset Moment(string text) =>
        DateTimeOffset.TryParseExact(
            text.Trim(),
            Forms,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out DateTimeOffset moment
        )
            ? moment
            : throw new PgBackupException(
                ErrorCode.Usage,
                $"\"{Foreign.Line(text)}\" is not a time with a zone.",
                "Write for instance 2026-11-27T03:00:00Z, or 2026-11-27T04:00:00+01:00."
            );

    /// <summary>The steps, a line each.</summary>
    /// <param name="config">The project.</param>
    /// <param name="reading">What Neon says of it.</param>
    /// <param name="moment">The moment.</param>
    /// <param name="now">The present.</param>
    /// <exception cref="PgBackupException">Neon does not reach to the moment, or it is not known whether it does.</exception>
    public static IReadOnlyList<string> Of(NeonConfig config, NeonReading reading, DateTimeOffset moment, DateTimeOffset now)
    {
        if (reading.Project is not { Branch: { } branch } project || project.EarliestAt(now) is not { } earliest)
        {
            throw new PgBackupException(
                ErrorCode.NeonUnknown,
                $"how far back Neon can restore is not known: {reading.Problem?.Why}.",
                reading.Problem is { } problem ? problem.Fix + "." : null
            );
        }

        if (moment < earliest || moment > now)
        {
            throw new PgBackupException(
                ErrorCode.MomentUnreachable,
                $"Neon can restore {Foreign.Line(project.Name)} to any second from {Up(earliest)} to now ({Text(now)}), and not to "
                    + $"{Text(moment)}.",
                "For another moment, `olympus-pgbackup list` shows the snapshots, and `olympus-pgbackup restore` restores one."
            );
        }

        string name = Foreign.Line(branch.Name);
        string at = moment.ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture);
        string api = $"{NeonClient.Api}projects/{project.Id}/branches";
        string made = Stamp(now);
        return
        [
            $"Neon can bring the branch {name} of {Foreign.Line(project.Name)} back to {Text(moment)}: its history reaches back to "
                + $"{Up(earliest)}.",
            "Nothing has been changed. This program only prints the steps. The key is read from its file, and is no argument of a program.",
            "",
            "1. Look first. This makes a branch of that moment beside the present one, which stays as it is:",
            "",
            .. Call(config.KeyFile, api, LookJson(branch.Id, at, $"look-{Stamp(moment)}-{made}")),
            "",
            "   The answer has the host of the new branch in endpoints, and may have passwords. Connect there with the same databases and",
            "   roles (on a copy of a protected branch, their passwords are new). Remove the branch in the console afterwards.",
            "",
            $"2. Then restore. This replaces what is in {name}, all databases of it. What was written since is kept as the branch",
            $"   before-restore-{made}, under which other branches made of it lie then. Connections end; host and passwords stay.",
            "",
            .. Call(config.KeyFile, $"{api}/{branch.Id}/restore", RestoreJson(branch.Id, at, $"before-restore-{made}")),
            "",
            "   Without an answer, look into the console before you try it again: it may have been done.",
            "",
            $"   Or in the console: https://console.neon.tech, the project {Foreign.Line(project.Name)}, Backup & Restore,",
            $"   the branch {name}; choose {Text(moment)} (mind the time zone of the page), Preview data, Restore.",
            "",
            "3. Afterwards:",
            "",
            "   olympus-pgbackup diff latest live     what the databases have more or less than in the last snapshot",
            "   olympus-pgbackup run                  takes a snapshot of what was restored",
        ];
    }

    // printf is a part of the shell: the key is in no list of processes.
    private static string[] Call(string keyFile, string url, string json) =>
        [
            $"   printf 'Authorization: Bearer %s\\n' \"$(cat {ShellText.Word(keyFile)})\" |",
            $"     curl -sS --fail-with-body -X POST -H @- -H 'Content-Type: application/json' -d {ShellText.Word(json)} "
                + ShellText.Word(url),
        ];

    private static string LookJson(string branch, string at, string name) =>
        Json(json =>
        {
            json.WriteStartObject("branch");
            json.WriteString("parent_id", branch);
            json.WriteString("parent_timestamp", at);
            json.WriteString("name", name);
            json.WriteEndObject();
            json.WriteStartArray("endpoints");
            json.WriteStartObject();
            json.WriteString("type", "read_write");
            json.WriteEndObject();
            json.WriteEndArray();
        });

    private static string RestoreJson(string branch, string at, string name) =>
        Json(json =>
        {
            json.WriteString("source_branch_id", branch);
            json.WriteString("source_timestamp", at);
            json.WriteString("preserve_under_name", name);
        });

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A moment in words, to the second.</summary>
    internal static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC";

    // What is reachable is not said to begin earlier than it does.
    internal static string Up(DateTimeOffset time) =>
        Text(
            time.Ticks % TimeSpan.TicksPerSecond == 0
                ? time
                : time.AddTicks(TimeSpan.TicksPerSecond - (time.Ticks % TimeSpan.TicksPerSecond))
        );
}
