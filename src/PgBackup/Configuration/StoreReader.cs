using System.Text.RegularExpressions;
using PgBackup.Host;
using PgBackup.Retention;
using PgBackup.Storage.S3;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Reads <c>stores:</c>.</summary>
internal sealed partial class StoreReader(List<ConfigError> errors, bool storesEncrypt)
{
    private static readonly string[] Kinds = ["path", "rclone", "s3"];

    /// <summary>The stores, in the order of the file; the first is the primary.</summary>
    public IReadOnlyList<StoreConfig> Read(YamlSection root)
    {
        List<StoreConfig> stores = [];
        List<string> places = [];
        List<(string Path, FolderPlace Place)> folders = [];
        foreach ((YamlNode node, string path) in root.Items("stores"))
        {
            if (node is not YamlMappingNode mapping)
            {
                root.Error("stores", "each store is a mapping.", "Write - { name: local, path: /backups }.");
                continue;
            }

            var section = new YamlSection(mapping, path, errors);
            StoreConfig store = ReadStore(section);
            if (stores.Any(s => s.Name == store.Name))
            {
                section.Error("name", $"\"{store.Name}\" is the name of an earlier store too.", "Give each store a name of its own.");
            }

            string place = PlaceOf(store);
            if (FolderOf(store) is { } written)
            {
                var real = FolderPlace.Of(written);
                RequireApart(section, written, real, folders);
                folders.Add((written, real));
            }
            else if (place.Length > 0 && places.Contains(place))
            {
                section.Error(
                    Kinds.First(section.Has),
                    $"{place} is the place of an earlier store too.",
                    "Give each store a folder, remote or prefix of its own."
                );
            }
            else if (place.Length > 0 && places.FirstOrDefault(p => IsBelow(p, place) || IsBelow(place, p)) is { } other)
            {
                section.Error(
                    Kinds.First(section.Has),
                    $"{place} and {other}, the place of an earlier store, lie one inside the other.",
                    "Give each store a folder, remote or prefix that holds nothing else."
                );
            }

            places.Add(place);

            stores.Add(store);
        }

        if (stores.Count == 0)
        {
            root.Error("stores", "no store is named.", "Write stores: [ { name: local, path: /backups } ].");
        }

        return stores;
    }

    private static void RequireApart(YamlSection section, string written, FolderPlace place, List<(string Path, FolderPlace Place)> earlier)
    {
        string key = Kinds.First(section.Has);
        string Real((string Path, FolderPlace Place) other) =>
            place.Path == other.Place.Path || place.Path == written ? "" : $", since it leads to {place.Path}";
        if (earlier.Find(o => o.Place.IsSame(place)) is { Path: not null } same)
        {
            section.Error(
                key,
                $"{written} is the place of an earlier store "
                    + $"too{(same.Path == written ? "" : $", {same.Path}: by a link, a mount or another way to write it")}.",
                "Give each store a folder, remote or prefix of its own."
            );
        }
        else if (earlier.Find(o => o.Place.IsBelow(place) || place.IsBelow(o.Place)) is { Path: not null } other)
        {
            section.Error(
                key,
                $"{written} and {other.Path}, the place of an earlier store, lie one inside the other{Real(other)}.",
                "Give each store a folder, remote or prefix that holds nothing else."
            );
        }
    }

    // The folder of this host, which a remote of rclone may also name.
    private static string? FolderOf(StoreConfig store) =>
        store.Path is { Length: > 0 } folder ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))
        : store.Rclone is { } remote && LocalRemote().Match(remote) is { Success: true } local && local.Groups[1].Length > 0
            ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(local.Groups[1].Value))
        : null;

    // What lies in a place begins with it and a slash; a whole remote or bucket ends in the colon or slash that comes before its paths.
    private static string PlaceOf(StoreConfig store) =>
        store.Path is { Length: > 0 } folder ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))
        : store.Rclone is { Length: > 0 } remote ? remote.TrimEnd('/')
        : store.S3 is { Bucket.Length: > 0 } s3 ? $"{s3.Endpoint?.ToString() ?? "s3://"}{s3.Bucket}/{s3.Prefix}"
        : "";

    private static bool IsBelow(string place, string outer) =>
        outer.Length > 0
        && place.Length > outer.Length
        && place.StartsWith(outer, StringComparison.Ordinal)
        && (outer[^1] is '/' or ':' || place[outer.Length] == '/');

    private StoreConfig ReadStore(YamlSection section)
    {
        string name = section.RequiredText("name", "Give the store a name, for instance name: local.");
        if (name.Length > 0 && !StoreName().IsMatch(name))
        {
            section.Error("name", $"\"{name}\" is not allowed.", "Use letters, digits, dots, dashes and underscores.");
        }

        List<string> kinds = [.. Kinds.Where(section.Has)];
        if (kinds.Count != 1)
        {
            section.Error(
                kinds.Count == 0 ? "path" : kinds[1],
                kinds.Count == 0 ? "nothing says where the store is." : $"{string.Join(" and ", kinds)} exclude each other.",
                "Write exactly one of path: (a folder), rclone: (a remote) and s3: (a bucket)."
            );
        }

        int before = errors.Count;
        var store = new StoreConfig { Name = name, Keep = ReadKeep(section) };
        bool keepIsRight = errors.Count == before;
        store = kinds.FirstOrDefault() switch
        {
            "path" => store with { Path = ReadFolder(section) },
            "rclone" => store with { Rclone = ReadRemote(section), RcloneConfig = ReadRcloneConfig(section) },
            "s3" => store with { S3 = ReadBucket(section) },
            _ => store,
        };
        if (store.S3?.ObjectLock is not null && keepIsRight)
        {
            RequireTiers(section, store.Keep);
        }

        if (section.Has("must_exist"))
        {
            store = store with { MustExist = section.Flag("must_exist") };
            if (store.S3 is not null)
            {
                section.Error("must_exist", "a bucket is never made, so it must exist anyway.", "Leave it out.");
            }
        }

        store = store with { PricePerGb = section.Price("price_per_gb") };
        if (storesEncrypt && store.S3 is null && kinds.Count == 1)
        {
            section.Error(
                kinds[0],
                "encryption: { provider: sse } needs stores that say of each object how they encrypt it, which only s3: can.",
                "Use s3:, or encryption: gpg or age."
            );
        }

        section.RejectUnknown();
        return store;
    }

    private static string ReadFolder(YamlSection section)
    {
        string folder = section.RequiredText("path", "Write the folder, for instance path: /backups.");
        if (folder.StartsWith('~'))
        {
            section.Error("path", "~ is only known to shells.", "Write the whole path, or ${HOME}/...");
        }

        return folder;
    }

    private static string ReadRemote(YamlSection section)
    {
        string remote = section.RequiredText("rclone", "Write the remote and the path in it, for instance rclone: \"b2:olympus-backups\".");
        if (remote.Length > 0 && (!remote.Contains(':', StringComparison.Ordinal) || remote.StartsWith('-')))
        {
            section.Error(
                "rclone",
                $"\"{remote}\" is not a remote.",
                "Write its name, a colon and the path: \"b2:olympus-backups\". `rclone listremotes` shows the names."
            );
        }

        if (SecretParameter().IsMatch(remote))
        {
            section.Error(
                "rclone",
                "there is a secret in the remote: every call of rclone would show it in the list of processes.",
                "Put it into rclone's own config (`rclone config`), and name that remote here."
            );
        }

        return remote;
    }

    private static string? ReadRcloneConfig(YamlSection section) =>
        ConfigReader.ReadableFile(
            section,
            "rclone_config",
            "`rclone config file` names the one that rclone uses, `rclone config` makes one."
        );

    private S3Settings ReadBucket(YamlSection section) =>
        section.Section("s3") is { } s3 ? new S3Reader(storesEncrypt).Read(s3) : new S3Settings { Bucket = "" };

    // An object is locked for as long as a tier promises to keep it.
    private static void RequireTiers(YamlSection section, RetentionRules keep)
    {
        if (!keep.HasTiers)
        {
            section.Error(
                "keep",
                "rules without tiers promise nothing, so that object_lock would lock nothing.",
                "Write how long to keep and lock, for instance keep: { all: 14d }, or leave out object_lock."
            );
        }
    }

    private static RetentionRules ReadKeep(YamlSection store)
    {
        if (!store.Has("keep"))
        {
            return RetentionRules.Default;
        }

        if (store.Section("keep") is not { } keep)
        {
            return RetentionRules.Default;
        }

        var rules = new RetentionRules
        {
            All = Length(keep, "all"),
            Daily = Length(keep, "daily"),
            Weekly = Length(keep, "weekly"),
            Monthly = Length(keep, "monthly"),
            Yearly = Length(keep, "yearly"),
        };
        keep.RejectUnknown();
        return rules;
    }

    private static RetentionLength? Length(YamlSection keep, string tier)
    {
        if (keep.Text(tier) is not { } text)
        {
            return null;
        }

        RetentionLength? length = RetentionLength.TryParse(text);
        if (length is null)
        {
            keep.Error(tier, $"\"{text}\" is not a length of time.", $"Write {RetentionLength.Forms}.");
        }

        return length;
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    private static partial Regex StoreName();

    [GeneratedRegex(@"^(?::local(?:,[^:]*)?:)(.*)$")]
    private static partial Regex LocalRemote();

    [GeneratedRegex(@"^:.*(secret|pass|token|key)[a-z_0-9]*=", RegexOptions.IgnoreCase)]
    private static partial Regex SecretParameter();
}
