using System.Diagnostics;

namespace PgBackup.Operations;

/// <summary>What is being done with a part.</summary>
public enum PartState
{
    /// <summary>Nothing yet.</summary>
    Waiting,

    /// <summary>A live database is read, and nothing is kept.</summary>
    Reading,

    /// <summary>It is dumped and stored.</summary>
    Dumping,

    /// <summary>Stored bytes are read and compared.</summary>
    Checking,

    /// <summary>It is copied from one store into another.</summary>
    Copying,

    /// <summary>It is restored.</summary>
    Restoring,

    /// <summary>What was restored is compared with the proof.</summary>
    Comparing,

    /// <summary>Tables that were restored and compared are moved to where they are wanted.</summary>
    Moving,

    /// <summary>All is done.</summary>
    Done,

    /// <summary>It failed.</summary>
    Failed,
}

/// <summary>The words of <see cref="PartState"/>.</summary>
public static class PartStates
{
    /// <summary>The word in a display of progress.</summary>
    public static string Word(this PartState state) =>
        state switch
        {
            PartState.Waiting => "waiting",
            PartState.Reading => "reading",
            PartState.Dumping => "dumping",
            PartState.Checking => "checking",
            PartState.Copying => "copying",
            PartState.Restoring => "restoring",
            PartState.Comparing => "comparing",
            PartState.Moving => "moving",
            PartState.Done => "done",
            PartState.Failed => "failed",
            _ => throw new UnreachableException(),
        };
}
