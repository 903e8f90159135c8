using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Reads <c>notify:</c>.</summary>
internal sealed partial class NotifyReader(List<ConfigError> errors)
{
    private const int ImplicitTlsPort = 465;
    private const int SubmissionPort = 587;

    private static readonly string[] Kinds = ["ping_file", "webhook_file", "smtp", "command"];
    private static readonly NoticeTopic[] Usual = [NoticeTopic.Red, NoticeTopic.Recovered];

    /// <summary>The channels, in the order of the file.</summary>
    public IReadOnlyList<NotifyConfig> Read(YamlSection root)
    {
        List<NotifyConfig> channels = [];
        foreach ((YamlNode node, string path) in root.Items("notify"))
        {
            if (node is not YamlMappingNode mapping)
            {
                root.Error("notify", "each item is a mapping.", "Write - { webhook_file: /etc/olympus-pgbackup/hook.url }.");
                continue;
            }

            var section = new YamlSection(mapping, path, errors);
            if (ReadChannel(section) is not NotifyConfig channel)
            {
                continue;
            }

            // One program may tell several people.
            int same = channels.Count(c => c.Command?[0] == channel.Command?[0] && c.Command is not null);
            channel =
                same == 0 ? channel : channel with { Name = string.Create(CultureInfo.InvariantCulture, $"{channel.Name} ({same + 1})") };
            if (channels.Any(c => c.Name == channel.Name))
            {
                section.Error(Kinds.First(section.Has), "an earlier item leads there too.", "Remove one: it would be told twice.");
            }

            channels.Add(channel);
        }

        return channels;
    }

    private static NotifyConfig? ReadChannel(YamlSection section)
    {
        string[] kinds = [.. Kinds.Where(section.Has)];
        NotifyConfig? channel = null;
        if (kinds.Length != 1)
        {
            section.Error(
                kinds.Length == 0 ? Kinds[0] : kinds[1],
                kinds.Length == 0 ? "nothing says whom to tell." : $"{kinds[0]} and {kinds[1]} are two ways to tell somebody.",
                "Write one of ping_file, webhook_file, smtp and command in each item."
            );
        }
        else
        {
            channel = kinds[0] switch
            {
                "ping_file" => Ping(section),
                "webhook_file" => Webhook(section),
                "smtp" => Mail(section),
                _ => Program(section),
            };
        }

        // Known keys of every kind: a wrong one is told apart from an unknown one.
        IReadOnlyList<NoticeTopic> on = Topics(section, isPing: kinds is ["ping_file"]);
        section.RejectUnknown();
        return channel is null ? null : channel with { On = on };
    }

    private static NotifyConfig Ping(YamlSection section)
    {
        string? file = SecretFile(section, "ping_file");
        return Channel($"ping {file}") with { PingFile = file };
    }

    private static NotifyConfig Webhook(YamlSection section)
    {
        string? file = SecretFile(section, "webhook_file");
        string? style = section.Text("style");
        if (style is not (null or "json" or "slack"))
        {
            section.Error("style", $"\"{style}\" is not allowed.", "Write json or slack.");
        }

        return Channel($"webhook {file}") with
        {
            WebhookFile = file,
            Style = style == "slack" ? WebhookStyle.Slack : WebhookStyle.Json,
        };
    }

    private static NotifyConfig? Program(YamlSection section)
    {
        IReadOnlyList<string> command = section.Texts("command");
        if (command.Count == 0 || !Path.IsPathRooted(command[0]))
        {
            section.Error("command", "no program is named by its whole path.", "Write command: [/usr/local/bin/page-me].");
            return null;
        }

        return Channel($"command {command[0]}") with
        {
            Command = command,
        };
    }

    private static NotifyConfig? Mail(YamlSection parent)
    {
        if (parent.Section("smtp") is not { } section)
        {
            return null;
        }

        string host = section.RequiredText("host", "Write the mail server, for instance host: mail.example.org.");
        if (
            host.Contains('/', StringComparison.Ordinal)
            || (host.Contains(':', StringComparison.Ordinal) && !IPAddress.TryParse(host, out _))
        )
        {
            section.Error("host", "it is not the name of a host.", "Write the name alone, and port: beside it.");
        }

        bool isLocal = host == "localhost" || (IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address));
        int port = section.Number("port", isLocal ? 25 : SubmissionPort, 1, 65535);
        var smtp = new SmtpConfig
        {
            Host = host,
            Port = port,
            Tls = Tls(section, port, isLocal),
            From = section.RequiredText("from", "Write the sender's address."),
            To = section.Texts("to"),
            User = section.Text("user"),
            PasswordFile = SecretFile(section, "password_file"),
        };
        foreach (string wrong in smtp.To.Append(smtp.From).Where(static a => a.Length > 0 && !Address().IsMatch(a)))
        {
            section.Error(wrong == smtp.From ? "from" : "to", $"\"{wrong}\" is no address of mail.", "Write for instance ops@example.org.");
        }

        if (smtp.To.Count == 0)
        {
            section.Error("to", "nobody is named.", "Write to: [ops@example.org].");
        }

        if (smtp.User is null != smtp.PasswordFile is null)
        {
            section.Error(
                smtp.User is null ? "password_file" : "user",
                "user and password_file belong together.",
                "Write both, or neither for a server that asks for none."
            );
        }

        if (smtp is { User: not null, Tls: SmtpTls.None } && !isLocal)
        {
            section.Error("tls", "the password would travel unencrypted.", "Write tls: starttls or tls: implicit.");
        }

        section.RejectUnknown();
        return Channel(string.Create(CultureInfo.InvariantCulture, $"smtp {host}:{port} {string.Join(' ', smtp.To)}")) with { Smtp = smtp };
    }

    private static SmtpTls Tls(YamlSection section, int port, bool isLocal)
    {
        string? word = section.Text("tls");
        if (word is not (null or "starttls" or "implicit" or "none"))
        {
            section.Error("tls", $"\"{word}\" is not allowed.", "Write starttls, implicit or none.");
        }

        return word switch
        {
            "starttls" => SmtpTls.StartTls,
            "implicit" => SmtpTls.Implicit,
            "none" => SmtpTls.None,
            _ => port == ImplicitTlsPort ? SmtpTls.Implicit
            : isLocal ? SmtpTls.None
            : SmtpTls.StartTls,
        };
    }

    private static IReadOnlyList<NoticeTopic> Topics(YamlSection section, bool isPing)
    {
        IReadOnlyList<string> words = section.Texts("on");
        if (isPing)
        {
            if (section.Has("on"))
            {
                section.Error("on", "a dead man's switch is told of every run.", "Leave it out.");
            }

            return [];
        }

        List<NoticeTopic> topics = [];
        foreach (string word in words)
        {
            if (
                Enum.GetValues<NoticeTopic>()
                    .Where(t => word.Equals(Word(t), StringComparison.Ordinal))
                    .Select(static t => (NoticeTopic?)t)
                    .FirstOrDefault() is
                { } topic
            )
            {
                topics.Add(topic);
            }
            else
            {
                section.Error("on", $"\"{word}\" is not allowed.", "Write red, yellow, recovered or drill.");
            }
        }

        if (section.Has("on") && words.Count == 0)
        {
            section.Error("on", "it would be told nothing.", "Name red, yellow, recovered or drill, or leave it out.");
        }

        return section.Has("on") ? [.. topics.Distinct()] : Usual;
    }

    private static string Word(NoticeTopic topic) =>
        topic switch
        {
            NoticeTopic.Red => "red",
            NoticeTopic.Yellow => "yellow",
            NoticeTopic.Recovered => "recovered",
            _ => "drill",
        };

    // Not whether it is there: a channel that is broken must not cost a backup, nor the other channels. `doctor` looks.
    private static string? SecretFile(YamlSection section, string key)
    {
        string? file = section.Text(key);
        if (file is not null && !Path.IsPathRooted(file))
        {
            section.Error(key, "it is not the whole path of a file.", $"Write for instance {key}: /etc/olympus-pgbackup/{key}.");
        }

        return file;
    }

    private static NotifyConfig Channel(string name) => new() { Name = name, On = [] };

    [GeneratedRegex(@"\A[^\s@<>]+@[^\s@<>]+\z")]
    private static partial Regex Address();
}
