using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using PgBackup.Tools;

namespace PgBackup.Storage.Rclone;

/// <summary>What a remote says of itself and of the objects it holds.</summary>
internal sealed class RcloneListing(RcloneCommand rclone)
{
    private RcloneRemote? known;

    /// <summary>What the remote is and can do; asked once.</summary>
    public async Task<RcloneRemote> KnownAsync(CancellationToken cancel)
    {
        if (known is null)
        {
            ToolResult result = await rclone.RunAsync(null, cancel, "backend", "features", "--", rclone.PathOf(""));
            known =
                result.ExitCode == 0
                    ? Parse(result, "backend features", RcloneJson.Default.RcloneRemote)
                    : throw rclone.Failure("backend features", result.Errors);
        }

        return known;
    }

    /// <summary>One object, with a digest if one is named by rclone's name for it; null when there is none.</summary>
    // One listing of the folder, filtered: `lsjson --stat` would say null for a wrong password, too.
    public async Task<RcloneItem?> StatAsync(string key, string? digest, CancellationToken cancel)
    {
        Check(key);
        string name = NameOf(key);
        string[] hash = digest is null ? [] : ["--hash", "--hash-type", digest];
        ToolResult result = await rclone.RunAsync(
            name + "\n",
            cancel,
            [
                "lsjson",
                "--files-only",
                "--no-mimetype",
                "--use-server-modtime",
                "--files-from-raw",
                "-",
                .. hash,
                "--",
                rclone.PathOf(FolderOf(key)),
            ]
        );
        if (result.ExitCode == 0)
        {
            return Parse(result, "lsjson", RcloneJson.Default.ListRcloneItem).FirstOrDefault(i => i.Path == name);
        }

        return RcloneCommand.IsMissing(result.Errors) && !(await KnownAsync(cancel)).Features.BucketBased
            ? null
            : throw rclone.Failure("lsjson", result.Errors);
    }

    /// <summary>What is in a folder, hidden things included; with an empty one in the whole store.</summary>
    /// <exception cref="PgBackupException">Also when the whole store is not there: its cause is a <see cref="DirectoryNotFoundException"/>
    /// where that may be made.</exception>
    public async IAsyncEnumerable<RcloneItem> ItemsAsync(string folder, string[] options, [EnumeratorCancellation] CancellationToken cancel)
    {
        bool whole = folder.Length == 0;
        if (!whole)
        {
            Check(folder);
        }

        RcloneRemote remote = await KnownAsync(cancel);
        string[] depth =
            !whole || options.Contains("--max-depth") ? []
            : remote.Features.BucketBased ? ["--recursive", "--fast-list"]
            : ["--recursive"];
        await using var output = ToolStream.From(
            rclone.Start(["lsjson", "--no-mimetype", "--use-server-modtime", .. depth, .. options, "--", rclone.PathOf(folder)]),
            cancel
        );
        await using IAsyncEnumerator<RcloneItem?> items = JsonSerializer
            .DeserializeAsyncEnumerable(output, RcloneJson.Default.RcloneItem, cancel)
            .GetAsyncEnumerator(cancel);
        while (await NextAsync())
        {
            yield return items.Current!;
        }

        async Task<bool> NextAsync()
        {
            try
            {
                if (await items.MoveNextAsync())
                {
                    return true;
                }

                await output.CopyToAsync(Stream.Null, cancel); // its end means that the list is whole
                return false;
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed && RcloneCommand.IsMissing(output.Errors))
            {
                return whole || remote.Features.BucketBased ? throw NoRoot(remote, e) : false;
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed)
            {
                throw rclone.Failure("lsjson", output.Errors, e);
            }
            catch (JsonException e)
            {
                throw rclone.Failure("lsjson", [$"its output is not JSON: {e.Message}"], e);
            }
        }
    }

    /// <summary>Refuses what leads out of the store.</summary>
    // A line break cannot be written into the list of names that rclone is asked for.
    public void Check(string key)
    {
        ObjectKey.Require(key, rclone.Store);
        if (key.Any(char.IsControl))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the key \"{key}\" is not a valid name for an object of the store {rclone.Store}."
            );
        }
    }

    /// <summary>The folder of a key, or nothing.</summary>
    public static string FolderOf(string key) => key.LastIndexOf('/') is var slash and >= 0 ? key[..slash] : "";

    /// <summary>The name of a key in its folder.</summary>
    public static string NameOf(string key) => key[(key.LastIndexOf('/') + 1)..];

    private PgBackupException NoRoot(RcloneRemote remote, PgBackupException e) =>
        remote.Features.BucketBased
            ? new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the bucket of the store {rclone.Store} ({rclone.Location}) does not exist.",
                $"Make it (`rclone mkdir {ShellText.Word(rclone.Location)}`), or correct its name; a backup never makes one.",
                e
            )
            : new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the folder of the store {rclone.Store} ({rclone.Location}) does not exist.",
                "Mount its disk, or take a first backup, which makes the folder.",
                new DirectoryNotFoundException(e.Message, e)
            );

    private T Parse<T>(ToolResult result, string verb, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(result.Output, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw rclone.Failure(verb, [$"its output is not JSON: {e.Message}"], e);
        }
    }
}
