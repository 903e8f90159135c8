namespace PgBackup.Operations.Doctor;

/// <summary>What a doctor has looked at, and what was found.</summary>
public sealed record DoctorReport
{
    /// <summary>Everything that was looked at, in the order of <see cref="DoctorArea"/>.</summary>
    public required IReadOnlyList<LookedAt> Looked { get; init; }

    /// <summary>What was found, in the order of <see cref="Looked"/>: the first of those have the first of these.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>How long it took.</summary>
    public required double Seconds { get; init; }

    /// <summary>The next run, drill and restore have what they need: there is no error.</summary>
    public bool IsHealthy => Findings.All(static f => f.Severity != Severity.Error);
}

/// <summary>One thing that was looked at.</summary>
public sealed record LookedAt
{
    /// <summary>To what it belongs.</summary>
    public required DoctorArea Area { get; init; }

    /// <summary>What was looked at, and where nothing was found, how it is.</summary>
    public required string What { get; init; }

    /// <summary>How many findings there are about it; 0 where it is right.</summary>
    public required int Findings { get; init; }

    /// <summary>The gravest of them; <see cref="Severity.Ok"/> where there is none.</summary>
    public required Severity Severity { get; init; }
}
