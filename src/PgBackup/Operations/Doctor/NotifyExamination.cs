using PgBackup.Configuration;

namespace PgBackup.Operations.Doctor;

/// <summary>Whether somebody hears when something is wrong, and when nothing is sent any more.</summary>
internal sealed class NotifyExamination(BackupConfig config)
{
    /// <summary>Looks, and writes it down. Nothing is sent.</summary>
    public Task RunAsync(Sheet sheet)
    {
        sheet.Add($"{Words.Count(config.Notify.Count, "channel")} of `notify:`", [.. Missing(), .. Programs(), .. Files()]);
        return Task.CompletedTask;
    }

    private IEnumerable<Finding> Missing()
    {
        if (config.Notify.Count == 0)
        {
            yield return Finding.Warning(
                ErrorCode.NobodyNotified,
                config.Cluster,
                "the config names nobody to be told when something is wrong",
                "what cron mails on a host without a mail server is read by nobody",
                "Write `notify:` (docs/notices.md)"
            );
        }

        if (!config.Notify.Any(static n => n.IsDeadMansSwitch))
        {
            yield return Finding.Warning(
                ErrorCode.NoDeadMansSwitch,
                config.Cluster,
                "no dead man's switch is set",
                "a host that is down, or whose cron has stopped, sends nothing",
                "Write `ping_file` into `notify:`, with the URL of a check that misses the nightly run, or run "
                    + "`olympus-pgbackup status --notify` on a second host"
            );
        }
    }

    private IEnumerable<Finding> Files()
    {
        foreach (NotifyConfig channel in config.Notify)
        {
            string problem = "";
            if ((channel.PingFile ?? channel.WebhookFile) is { } url)
            {
                _ = NotifyUrl.TryRead(url, out problem);
            }
            else if (channel.Smtp?.PasswordFile is { } password && !File.Exists(password))
            {
                problem = $"the file {password} does not exist";
            }

            if (problem.Length > 0)
            {
                yield return Finding.Error(
                    ErrorCode.NotifierFailing,
                    channel.Name,
                    $"nothing can be delivered: {channel.Name}",
                    problem,
                    "Write nothing but the URL, or the password, into the file (mode 0600)"
                );
            }
        }
    }

    private IEnumerable<Finding> Programs() =>
        from channel in config.Notify
        let program = channel.Command?[0]
        where program is not null && !IsExecutable(program)
        select Finding.Error(
            ErrorCode.ToolMissing,
            channel.Name,
            $"{program}, which is to tell somebody, is no program that can be started",
            null,
            "Check its path and mode"
        );

    private static bool IsExecutable(string file)
    {
        const UnixFileMode Any = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        try
        {
            return File.Exists(file) && (File.GetUnixFileMode(file) & Any) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
