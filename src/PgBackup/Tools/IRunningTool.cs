namespace PgBackup.Tools;

/// <summary>A started tool, wherever it runs: a child of this process, or one inside a container.</summary>
internal interface IRunningTool : IAsyncDisposable
{
    /// <summary>Its standard input.</summary>
    Stream Input { get; }

    /// <summary>Its standard output.</summary>
    Stream Output { get; }

    /// <summary>Its standard error.</summary>
    Stream Error { get; }

    /// <summary>Completes with the exit code when the tool has ended.</summary>
    Task<int> Exit { get; }

    /// <summary>Asks for its end without waiting for it; nothing happens when it has ended already.</summary>
    void Kill();
}
