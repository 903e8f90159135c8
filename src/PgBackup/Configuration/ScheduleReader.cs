using System.Net;

namespace PgBackup.Configuration;

/// <summary>Reads <c>schedule:</c> and <c>serve:</c>.</summary>
internal static class ScheduleReader
{
    private static readonly TimeSpan LongestJitter = TimeSpan.FromHours(6);

    /// <summary>The schedule; null where there is none.</summary>
    public static ScheduleConfig? Read(YamlSection root)
    {
        if (root.Section("schedule") is not { } section)
        {
            return null;
        }

        TimeZoneInfo zone = ReadZone(section);
        TimeSpan jitter = section.Span("jitter", TimeSpan.Zero);
        if (jitter > LongestJitter)
        {
            section.Error("jitter", $"\"{section.Text("jitter")}\" is longer than 6 hours.", "Write at most 6h.");
        }

        ScheduledJob?[] read =
        [
            section.Has("run") ? ReadJob(section, JobKind.Run) : null,
            section.Has("prune") ? ReadJob(section, JobKind.Prune) : null,
            section.Has("check") ? ReadJob(section, JobKind.Check) : null,
            section.Has("drill") ? ReadJob(section, JobKind.Drill) : null,
            section.Has("keys") ? ReadJob(section, JobKind.Keys) : null,
        ];
        ScheduledJob[] jobs = [.. read.OfType<ScheduledJob>()];
        if (section.Has("base"))
        {
            section.Error("base", "this version takes no base backups yet.", "Leave it out.");
        }

        section.RejectUnknown();
        if (read.All(static j => j is null))
        {
            section.Error("run", "no job is scheduled.", "Write for instance run: \"0 3 * * *\".");
        }

        return new ScheduleConfig
        {
            Zone = zone,
            Jitter = jitter,
            Jobs = jobs,
        };
    }

    /// <summary>Where <c>serve</c> listens.</summary>
    public static ServeConfig ReadServe(YamlSection root)
    {
        var serve = new ServeConfig();
        if (root.Section("serve") is not { } section)
        {
            return serve;
        }

        if (section.Text("listen") is { } listen)
        {
            if (listen == "none")
            {
                serve = serve with { Listen = null };
            }
            else if (EndPoint(listen) is { } endPoint)
            {
                serve = serve with { Listen = endPoint };
            }
            else
            {
                section.Error(
                    "listen",
                    $"\"{listen}\" is no address and port.",
                    "Write for instance 127.0.0.1:8432, [::1]:8432, 0.0.0.0:8432 for all addresses, or none."
                );
            }
        }

        section.RejectUnknown();
        return serve;
    }

    private static IPEndPoint? EndPoint(string text)
    {
        const string Local = "localhost:";
        string address = text.StartsWith(Local, StringComparison.Ordinal) ? $"127.0.0.1:{text[Local.Length..]}" : text;
        // Without a port, IPv6 takes the last group for one.
        bool hasPort = address.StartsWith('[') ? address.Contains("]:", StringComparison.Ordinal) : address.Split(':').Length == 2;
        return hasPort && IPEndPoint.TryParse(address, out IPEndPoint? endPoint) && endPoint.Port > 0 ? endPoint : null;
    }

    private static TimeZoneInfo ReadZone(YamlSection section)
    {
        if (section.Text("time_zone") is not { } name)
        {
            return TimeZoneInfo.Local;
        }

        if (name.Length > 0 && TimeZoneInfo.TryFindSystemTimeZoneById(name, out TimeZoneInfo? zone))
        {
            return zone;
        }

        section.Error(
            "time_zone",
            $"\"{name}\" is no time zone that this host knows.",
            "Write a name of the IANA database, for instance Europe/Berlin or UTC. If it is one, install the package tzdata."
        );
        return TimeZoneInfo.Utc;
    }

    private static ScheduledJob? ReadJob(YamlSection section, JobKind kind)
    {
        string key = kind.Word();
        if (section.IsText(key))
        {
            return Job(kind, section.Text(key) ?? "", Usual(kind), section.LineOf(key));
        }

        if (section.Section(key) is not { } own)
        {
            return null;
        }

        string cron = own.RequiredText("cron", "Write when, for instance cron: \"0 3 * * *\".");
        IReadOnlyList<string> arguments = own.Has("arguments") ? own.Texts("arguments") : Usual(kind);
        if (arguments.Any(static a => a is "--config" || a.StartsWith("--config=", StringComparison.Ordinal)))
        {
            own.Error("arguments", "--config is added by itself.", "Leave it out.");
        }

        own.RejectUnknown();
        return Job(kind, cron, arguments, own.Has("cron") ? own.LineOf("cron") : own.Line);
    }

    private static ScheduledJob Job(JobKind kind, string cron, IReadOnlyList<string> arguments, long line) =>
        new()
        {
            Kind = kind,
            Cron = cron.Trim(),
            Arguments = [kind.Word(), .. arguments],
            Line = line,
        };

    // What runs unattended prints what is wrong. A check that comes once a month reads every byte.
    private static IReadOnlyList<string> Usual(JobKind kind) =>
        kind switch
        {
            JobKind.Run => ["--quiet"],
            JobKind.Check => ["--all", "--read-data"],
            JobKind.Keys => ["--notify"],
            _ => [],
        };
}
