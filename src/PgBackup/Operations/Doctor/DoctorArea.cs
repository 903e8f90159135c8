using System.Text.Json.Serialization;

namespace PgBackup.Operations.Doctor;

/// <summary>What a doctor looks at.</summary>
[JsonConverter(typeof(DoctorAreaConverter))]
public enum DoctorArea
{
    /// <summary>The server, its databases, and what the role may read.</summary>
    Source,

    /// <summary>The stores.</summary>
    Stores,

    /// <summary>The keys.</summary>
    Keys,

    /// <summary>What a drill needs.</summary>
    Drill,

    /// <summary>Files of this host that others must not change.</summary>
    Files,

    /// <summary>Who is told when something is wrong.</summary>
    Notify,
}

/// <summary>The words of <see cref="DoctorArea"/>.</summary>
public static class DoctorAreas
{
    /// <summary>The word in JSON and on the command line.</summary>
    public static string Word(this DoctorArea area) =>
        area switch
        {
            DoctorArea.Source => "source",
            DoctorArea.Stores => "stores",
            DoctorArea.Keys => "keys",
            DoctorArea.Drill => "drill",
            DoctorArea.Notify => "notify",
            _ => "files",
        };
}

/// <summary>A <see cref="DoctorArea"/> in JSON.</summary>
public sealed class DoctorAreaConverter() : WordConverter<DoctorArea>(DoctorAreas.Word);
