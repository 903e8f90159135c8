namespace PgBackup.Soak;

/// <summary>What is wrong after a fault. No verdict is the good one.</summary>
internal enum Verdict
{
    /// <summary>An earlier snapshot is not whole any more, or one that was called complete cannot be restored.</summary>
    Lost,

    /// <summary>Called complete, ok or equal, and is not.</summary>
    FalselyGood,

    /// <summary>PGB-0001, a stack trace, an exit code that no page names, or no end at all.</summary>
    Internal,

    /// <summary>Processes, folders, containers, sessions or marks that the next good run does not remove; a next run that cannot do its
    /// work.</summary>
    LeftBehind,

    /// <summary>The campaign itself failed: nothing is known of the product. It counts as bad, so that somebody looks.</summary>
    NotJudged,
}

/// <summary>One bad outcome, in words that name what was seen.</summary>
internal sealed record Finding(Verdict Verdict, string What);
