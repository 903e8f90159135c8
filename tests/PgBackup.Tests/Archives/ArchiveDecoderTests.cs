using PgBackup.Archives;
using PgBackup.Postgres;
using PgBackup.Tools;

namespace PgBackup.Tests.Archives;

/// <summary>Reading back by a pg_restore that is a script.</summary>
public sealed class ArchiveDecoderTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task When_the_script_cannot_be_read_on_whoever_writes_the_archive_is_not_held_up()
    {
        await using ArchiveDecoder decoder = await StartAsync("read -r start; yes 'COPY t FROM stdin;'; cat >/dev/null");
        decoder.Script.Dispose(); // the first row of the table cannot be hashed

        await Task.Run(() => Write(decoder, 4_000_000), Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel);

        await Should.ThrowAsync<ObjectDisposedException>(() => decoder.FinishAsync(Cancel));
    }

    [Fact]
    public async Task A_cancelled_read_holds_up_nobody_either()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await using ArchiveDecoder decoder = await StartAsync("sleep 600", cancel.Token);
        Task writing = Task.Run(() => Write(decoder, 4_000_000), Cancel);

        await cancel.CancelAsync();

        await writing.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Should.ThrowAsync<OperationCanceledException>(() => decoder.FinishAsync(cancel.Token));
    }

    private static void Write(ArchiveDecoder decoder, int bytes)
    {
        byte[] lines = new byte[bytes];
        Array.Fill(lines, (byte)'\n');
        decoder.Write(lines);
    }

    private async Task<ArchiveDecoder> StartAsync(string script, CancellationToken? cancel = null)
    {
        File.SetUnixFileMode(folder.Write("pg_restore", $"#!/bin/sh\n{script}\n"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return await ArchiveDecoder.StartAsync(
            new PostgresTools { Host = new HostTools(folder.Path, TimeProvider.System), Version = "17.1" },
            keepExcerpts: false,
            cancel ?? Cancel
        );
    }
}
