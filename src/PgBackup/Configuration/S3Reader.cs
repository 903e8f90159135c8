using System.Text.RegularExpressions;
using PgBackup.Host;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>Reads <c>s3:</c> of a store.</summary>
/// <param name="storesEncrypt">The bucket has to encrypt what it is given.</param>
internal sealed partial class S3Reader(bool storesEncrypt)
{
    /// <summary>The bucket, and how to use it.</summary>
    public S3Settings Read(YamlSection section)
    {
        string bucket = ReadBucket(section);
        string prefix = ReadPrefix(section);
        Uri? endpoint = ReadEndpoint(section);
        (string? access, string? secret) = ReadAccess(section);
        (string? encryption, string? kms) = ReadEncryption(section);
        string? objectLock = ReadObjectLock(section);
        string? storageClass = ReadStorageClass(section);
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

    private static string ReadBucket(YamlSection section)
    {
        string bucket = section.RequiredText("bucket", "Write the bucket's name.");
        if (bucket.Length > 0 && !BucketName().IsMatch(bucket))
        {
            section.Error(
                "bucket",
                $"\"{bucket}\" is not the name of a bucket.",
                "Write the name alone; what comes behind it belongs into prefix:."
            );
        }

        return bucket;
    }

    private static string ReadPrefix(YamlSection section)
    {
        string prefix = (section.Text("prefix") ?? "").Trim('/');
        if (prefix.Length > 0 && prefix.Split('/').Any(static part => part is "" or "." or ".." || part.StartsWith('.')))
        {
            section.Error("prefix", $"\"{prefix}\" is not allowed.", "Write words with slashes between them, none beginning with a dot.");
        }

        return prefix;
    }

    private static Uri? ReadEndpoint(YamlSection section)
    {
        if (section.Text("endpoint") is not { Length: > 0 } url)
        {
            return null;
        }

        if (Uri.TryCreate(url, UriKind.Absolute, out Uri? endpoint) && endpoint.Scheme is "https" or "http" && endpoint.AbsolutePath == "/")
        {
            return endpoint;
        }

        section.Error("endpoint", $"\"{url}\" is not the URL of a store.", "Write https://host or https://host:port.");
        return null;
    }

    private static (string? Key, string? Secret) ReadAccess(YamlSection section)
    {
        string? access = Secret(section, "access_key_id");
        string? secret = Secret(section, "secret_access_key");
        if (access is null != secret is null)
        {
            section.Error(
                access is null ? "access_key_id" : "secret_access_key",
                "the key and its secret belong together.",
                "Write both (each also as *_file), or neither: then the SDK looks into the environment, ~/.aws and the machine's role."
            );
        }

        return (access, secret);
    }

    private static (string? Method, string? KmsKey) ReadEncryption(YamlSection section)
    {
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

        return (encryption, kms);
    }

    private static string? ReadObjectLock(YamlSection section)
    {
        string? objectLock = section.Text("object_lock");
        if (objectLock is not (null or "governance" or "compliance"))
        {
            section.Error("object_lock", $"\"{objectLock}\" is not allowed.", "Write governance or compliance, or leave it out.");
        }

        return objectLock;
    }

    private static string? ReadStorageClass(YamlSection section)
    {
        string? storageClass = section.Text("storage_class");
        if (storageClass is not null && ColdClass().IsMatch(storageClass))
        {
            section.Error(
                "storage_class",
                $"objects in {storageClass} cannot be read at once, so nothing could be checked or restored in time.",
                "Write STANDARD, STANDARD_IA or another class that is read at once."
            );
        }

        return storageClass;
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
            section.Error(
                key + "_file",
                $"{file} cannot be read: {e.Message}",
                "Check its owner and mode (0600, of the user that runs the backup)."
            );
            return null;
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$")]
    private static partial Regex BucketName();

    [GeneratedRegex(@"^(GLACIER|DEEP_ARCHIVE)$")]
    private static partial Regex ColdClass();
}
