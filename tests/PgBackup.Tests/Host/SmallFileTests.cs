using System.Diagnostics;
using PgBackup.Host;

namespace PgBackup.Tests.Host;

public sealed class SmallFileTests
{
    [Fact]
    public void A_pipe_is_read_to_its_end()
    {
        using var folder = new TestFolder();
        string pipe = Pipe(folder);
        using Process writer = Process.Start("sh", ["-c", "printf 'one\\r\\ntwo\\n' >\"$0\"", pipe]);

        SmallFile.Lines(pipe).ShouldBe(["one", "two"]);
        writer.WaitForExit(10_000).ShouldBeTrue();
    }

    [Fact]
    public void A_pipe_that_nobody_writes_into_is_not_waited_for_without_end()
    {
        using var folder = new TestFolder();
        string pipe = Pipe(folder);

        IOException error = Should.Throw<IOException>(() => SmallFile.Text(pipe, TimeSpan.FromMilliseconds(300), Cancel));

        error.Message.ShouldBe("it does not end within 0.3 s; if it is a pipe, start what writes into it");
        LetGo(pipe);
    }

    [Fact]
    public void A_pipe_is_not_waited_for_after_a_signal()
    {
        using var folder = new TestFolder();
        string pipe = Pipe(folder);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));

        Should.Throw<OperationCanceledException>(() => SmallFile.Text(pipe, TimeSpan.FromMinutes(10), stop.Token));

        LetGo(pipe);
    }

    [Theory]
    [InlineData(SmallFile.MostBytes, true)]
    [InlineData(SmallFile.MostBytes + 1, false)]
    public void What_is_larger_than_any_config_is_not_read(int bytes, bool read)
    {
        using var folder = new TestFolder();
        string file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, new string('x', bytes));

        if (read)
        {
            SmallFile.Text(file).Length.ShouldBe(bytes);
        }
        else
        {
            Should.Throw<IOException>(() => SmallFile.Text(file)).Message.ShouldBe("it is larger than any config or key, 1 MiB");
        }
    }

    [Fact]
    public void A_device_without_end_is_not_read_either() =>
        Should.Throw<IOException>(() => SmallFile.Text("/dev/zero")).Message.ShouldBe("it is larger than any config or key, 1 MiB");

    [Fact]
    public void A_byte_order_mark_is_none_of_the_text()
    {
        using var folder = new TestFolder();
        string file = Path.Combine(folder.Path, "file");
        File.WriteAllBytes(file, [0xEF, 0xBB, 0xBF, (byte)'a']);
        SmallFile.Text(file).ShouldBe("a");

        File.WriteAllBytes(file, [0xFF, 0xFE, (byte)'a', 0]);
        SmallFile.Text(file).ShouldBe("a");
    }

    // Lets the thread go that still waits.
    private static void LetGo(string pipe)
    {
        using Process end = Process.Start("sh", ["-c", ": >\"$0\"", pipe]);
        end.WaitForExit(10_000).ShouldBeTrue();
    }

    private static string Pipe(TestFolder folder)
    {
        string pipe = Path.Combine(folder.Path, "pipe");
        using Process make = Process.Start("mkfifo", [pipe]);
        make.WaitForExit();
        make.ExitCode.ShouldBe(0);
        return pipe;
    }
}
