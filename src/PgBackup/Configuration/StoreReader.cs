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
                section.Error(Kinds.First(section.Has), $"{place} is the place of an earlier store too.", "Give each store a folder, remote or prefix of its own.");
            }
            else if (place.Length > 0 && places.FirstOrDefault(p => IsBelow(p, place) || IsBelow(place, p)) is { } other)
            {
                section.Error(
                    Kinds.First(section.Has), $"{place} and {other}, the place of an earlier store, lie one inside the other.", "Give each store a folder, remote or prefix that holds nothing else.");
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
        string Real((string Path, FolderPlace Place) other) => place.Path == other.Place.Path || place.Path == written ? ""
            : $", since it leads to {place.Path}";
        if (earlier.Find(o => o.Place.IsSame(place)) is { Path: not null } same)
        {
            section.Error(key, $"{written} is the place of an earlier store too{(same.Path == written ? "" : $", {same.Path}: by a link, a mount or another way to write it")}.", "Give each store a folder, remote or prefix of its own.");
        }
        else if (earlier.Find(o => o.Place.IsBelow(place) || place.IsBelow(o.Place)) is { Path: not null } other)
        {
            section.Error(
                key, $"{written} and {other.Path}, the place of an earlier store, lie one inside the other{Real(other)}.",
                    "Give each store a folder, remote or prefix that holds nothing else.");
        }
    }

    // The folder of this host, which rclone may be told to use too.
    private static string? FolderOf(StoreConfig store) =>
        store.Path is { Length: > 0 } folder ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))
        : store.Rclone is { } remote && LocalRemote().Match(remote) is { Success: true } local
            && local.Groups[1].Length > 0 ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(local.Groups[1].Value))
        : null;

    // What lies in a place begins with it and a slash; a whole remote or bucket ends in the colon or slash that comes before its paths.
    private static string PlaceOf(StoreConfig store) =>
        store.Path is { Length: > 0 } folder ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))
        : store.Rclone is { Length: > 0 } remote ? remote.TrimEnd('/')
        : store.S3 is { Bucket.Length: > 0 } s3 ? $"{s3.Endpoint?.ToString() ?? "s3://"}{s3.Bucket}/{s3.Prefix}"
        : "";

    private static bool IsBelow(string place, string outer) =>
        outer.Length > 0 && place.Length > outer.Length && place.StartsWith(outer, StringComparison.Ordinal) && (outer[^1] is '/' or ':' || place[outer.Length] == '/');

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
                "Write exactly one of path: (a folder), rclone: (a remote) and s3: (a bucket).");
        }

        int before = errors.Count;
        var store = new StoreConfig { Name = name, Keep = ReadKeep(section) };
        bool keepIsRight = errors.Count == before;
        switch (kinds.FirstOrDefault())
        {
            case "path":
                string folder = section.RequiredText("path", "Write the folder, for instance path: /backups.");
                if (folder.StartsWith('~'))
                {
                    section.Error("path", "~ is only known to shells.", "Write the whole path, or ${HOME}/...");
                }

                store = store with { Path = folder };
                break;
            case "rclone":
                string remote = section.RequiredText("rclone", "Write the remote and the path in it, for instance rclone: \"b2:olympus-backups\".");
                if (remote.Length > 0 && (!remote.Contains(':', StringComparison.Ordinal) || remote.StartsWith('-')))
                {
                    section.Error("rclone", $"\"{remote}\" is no remote.", "Write its name, a colon and the path: \"b2:olympus-backups\". `rclone listremotes` shows the names.");
                }

                if (SecretParameter().IsMatch(remote))
                {
                    section.Error("rclone", "a secret stands in the remote, and every call of rclone would show it in the list of processes.", "Put it into rclone's own config (`rclone config`), and name that remote here.");
                }

                store = store with { Rclone = remote, RcloneConfig = ConfigReader.ReadableFile(section, "rclone_config", "`rclone config file` names the one that rclone uses, `rclone config` makes one.") };
                break;
            case "s3":
                store = store with { S3 = section.Section("s3") is { } s3 ? ReadS3(s3) : new S3Settings { Bucket = "" } };
                break;
            default:
                break;
        }

        if (store.S3?.ObjectLock is not null && keepIsRight && !store.Keep.HasTiers)
        {
            section.Error("keep", "rules without tiers promise nothing, so that object_lock would lock nothing.", "Write how long to keep and lock, for instance keep: { all: 14d }, or leave out object_lock.");
        }

        if (section.Has("must_exist"))
        {
            store = store with { MustExist = section.Flag("must_exist") };
            if (store.S3 is not null)
            {
                section.Error("must_exist", "a bucket is never made, so it must exist anyway.", "Leave it out.");
            }
        }

        if (storesEncrypt && store.S3 is null && kinds.Count == 1)
        {
            section.Error(kinds[0], "encryption: { provider: sse } needs stores that say of each object how they encrypt it, which only s3: can.", "Use s3:, or encryption: gpg or age.");
        }

        section.RejectUnknown();
        return store;
    }

    private S3Settings ReadS3(YamlSection section)
    {
        string bucket = section.RequiredText("bucket", "Write the bucket's name.");
        if (bucket.Length > 0 && !BucketName().IsMatch(bucket))
        {
            section.Error("bucket", $"\"{bucket}\" is no name of a bucket.", "Write the name alone; what comes behind it belongs into prefix:.");
        }

        string prefix = (section.Text("prefix") ?? "").Trim('/');
        if (prefix.Length > 0 && prefix.Split('/').Any(static part => part is "" or "." or ".." || part.StartsWith('.')))
        {
            section.Error("prefix", $"\"{prefix}\" is not allowed.", "Write words with slashes between them, none beginning with a dot.");
        }

        Uri? endpoint = null;
        if (section.Text("endpoint") is { Length: > 0 } url && (!Uri.TryCreate(url, UriKind.Absolute, out endpoint) || endpoint.Scheme is not ("https" or "http") || endpoint.AbsolutePath != "/"))
        {
            section.Error("endpoint", $"\"{url}\" is no URL of a store.", "Write https://host or https://host:port.");
            endpoint = null;
        }

        string? access = Secret(section, "access_key_id");
        string? secret = Secret(section, "secret_access_key");
        if (access is null != secret is null)
        {
            section.Error(
                access is null ? "access_key_id" : "secret_access_key", "the key and its secret belong together.", "Write both (each also as *_file), or neither: then the SDK looks into the environment, ~/.aws and the machine's role.");
        }

        string? encryption = section.Text("sse");
        if (encryption is not (null or "AES256" or "aws:kms" or "aws:kms:dsse"))
        {
            section.Error("sse", $"\"{encryption}\" is not allowed.", "Write AES256, \"aws:kms\" or \"aws:kms:dsse\".");
        }

        string? kms = section.Text("kms_key");
        if (kms is not null && encryption is null or "AES256")
        {
            section.Error("kms_key", "it needs a key management service.", "Write sse: \"aws:kms\" beside it.");
        }

        string? objectLock = section.Text("object_lock");
        if (objectLock is not (null or "governance" or "compliance"))
        {
            section.Error("object_lock", $"\"{objectLock}\" is not allowed.", "Write governance or compliance, or leave it out.");
        }

        string? storageClass = section.Text("storage_class");
        if (storageClass is not null && ColdClass().IsMatch(storageClass))
        {
            section.Error("storage_class", $"objects in {storageClass} cannot be read at once, so nothing could be checked or restored in time.", "Write STANDARD, STANDARD_IA or another class that is read at once.");
        }

        var settings = new S3Settings
        {
            Bucket = bucket,
            Prefix = prefix,
            Region = section.Text("region") ?? "us-east-1",
            Endpoint = endpoint,
            PathStyle = section.Has("path_style") ? section.Flag("path_style") : endpoint is not null,
            AccessKey = access,
            SecretKey = secret,
            StorageClass = storageClass,
            Encryption = encryption,
            KmsKey = kms,
            RequireEncryption = storesEncrypt,
            ObjectLock = objectLock?.ToUpperInvariant(),
        };
        section.RejectUnknown();
        return settings;
    }

    // The value itself, or the file it stands in.
    private static string? Secret(YamlSection section, string key)
    {
        string? value = section.Text(key);
        string? file = ConfigReader.ReadableFile(section, key + "_file", $"Make it (mode 0600) with nothing but the value of {key} in it.");
        if (value is not null && file is not null)
        {
            section.Error(key, $"{key} and {key}_file exclude each other.", "Write one of them; the file is safer.");
        }

        if (file is null || !File.Exists(file))
        {
            return value is { Length: > 0 } ? value : null;
        }

        try
        {
            return SmallFile.Text(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            section.Error(key + "_file", $"{file} cannot be read: {e.Message}", "Check its owner and mode (0600, of the user that runs the backup).");
            return null;
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
            keep.Error(tier, $"\"{text}\" is no length of time.", $"Write {RetentionLength.Forms}.");
        }

        return length;
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    private static partial Regex StoreName();

    [GeneratedRegex(@"^(?::local(?:,[^:]*)?:)(.*)$")]
    private static partial Regex LocalRemote();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$")]
    private static partial Regex BucketName();

    [GeneratedRegex(@"^:.*(secret|pass|token|key)[a-z_0-9]*=", RegexOptions.IgnoreCase)]
    private static partial Regex SecretParameter();

    [GeneratedRegex(@"^(GLACIER|DEEP_ARCHIVE)$")]
    private static partial Regex ColdClass();
}
