using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Doctor;

/// <summary>
/// Every store, by an object that is written, found, read, and removed again. All stores do each step at the same time: what one wrote and
/// another one finds says that they are one and the same place.
/// </summary>
internal sealed class StoresExamination(
    BackupConfig config,
    IReadOnlyList<BackupStore> stores,
    NewestSnapshot newest,
    DoctorHost host,
    TimeProvider clock
)
{
    // A run waits for minutes, and tries again. Who asks a doctor wants an answer.
    private static readonly TimeSpan StepTime = TimeSpan.FromSeconds(8);

    private readonly StoreConfig[] configs = [.. config.Stores];

    /// <summary>Looks at all of them; a sheet for each, and a last one for what is said of all.</summary>
    public async Task RunAsync(IReadOnlyList<Sheet> sheets, Sheet together, CancellationToken cancel)
    {
        StoreProbe[] probes = [.. stores.Select((s, i) => new StoreProbe(s, configs[i], sheets[i], clock))];
        await StepAsync(probes, static (p, c) => p.PutAsync(c), cancel);
        Dictionary<string, string> written = probes.Where(static p => p.IsWritten).ToDictionary(static p => p.Key, static p => p.Name);
        await StepAsync(probes, (p, c) => p.ReadAsync(written, c), cancel);
        await StepAsync(probes, static (p, c) => p.DeleteAsync(c), cancel);
        Manifest? manifest = await newest.FindAsync(cancel);
        for (int i = 0; i < stores.Count; i++)
        {
            probes[i].Finish(Space(configs[i], manifest));
        }

        together.Add("how the stores keep what they are given", Protection());
    }

    private async Task StepAsync(StoreProbe[] probes, Func<StoreProbe, CancellationToken, Task> step, CancellationToken cancel) =>
        await Task.WhenAll(
            probes
                .Where(static p => !p.IsLost)
                .Select(async p => p.IsLost = !await p.Sheet.WithinAsync(p.Name, StepTime, c => step(p, c), clock, cancel))
        );

    // The next snapshot is about as large as the last one.
    private Finding[] Space(StoreConfig store, Manifest? manifest)
    {
        if (store.Path is not { } folder || manifest is null || host.Free(folder) is not { } free || free >= manifest.StoredBytes * 2)
        {
            return [];
        }

        string what =
            $"the store {store.Name} ({folder}) has {ByteSize.Text(free)} free, and the newest snapshot takes "
            + ByteSize.Text(manifest.StoredBytes);
        string fix =
            $"Make room: `df -h {ShellText.Word(folder)}` shows the disk. Or keep less (`keep:`), then run `olympus-pgbackup prune`";
        return
        [
            free < manifest.StoredBytes
                ? Finding.Error(ErrorCode.DiskShort, store.Name, what, "the next one does not fit", fix)
                : Finding.Warning(ErrorCode.DiskShort, store.Name, what, "one more fits, and not two", fix),
        ];
    }

    private List<Finding> Protection()
    {
        List<Finding> findings = [];
        if (configs.All(static s => s.S3?.ObjectLock is null))
        {
            findings.Add(
                Finding.Note(
                    ErrorCode.StoreUnlocked,
                    configs[0].Name,
                    "no store locks what it is given (object_lock)",
                    "who takes over this host, or its credentials, can remove every snapshot",
                    "docs/configuration.md says how to make a bucket with object lock"
                )
            );
        }

        if (config.Encryption.Kind == EncryptionKind.None)
        {
            findings.Add(
                Finding.Warning(
                    ErrorCode.StoredUnencrypted,
                    configs[0].Name,
                    "snapshots are not encrypted (encryption: none)",
                    "whoever reads a store has all accounts and secrets in it",
                    "Write encryption: { age: { recipients: [age1..., age1...] } } into the config; `age-keygen` makes a key"
                )
            );
        }

        return findings;
    }
}
