using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using PgBackup.App;
using PgBackup.Installations;

namespace PgBackup.Tests.House;

/// <summary>What the executable makes of the engine's types, as its compiled code says.</summary>
public sealed class HouseAppTests
{
    // Beside records, and the converters that generated code of JSON makes: what operations report to and throw, and the fake cluster of the demo, which no config names.
    private static readonly string[] Made = ["HostTools", "Installation", "PgBackupException", "PostgresServer", "Progress"];

    [Fact]
    public void The_app_makes_an_installation_and_no_other_part_of_the_engine()
    {
        using var file = new PEReader(File.OpenRead(typeof(GlobalOptions).Assembly.Location));
        MetadataReader app = file.GetMetadataReader();
        Assembly engine = typeof(Installation).Assembly;
        IEnumerable<string> made =
            from handle in app.MemberReferences
            let member = app.GetMemberReference(handle)
            where app.GetString(member.Name) == ".ctor" && member.Parent.Kind == HandleKind.TypeReference
            let name = app.GetTypeReference((TypeReferenceHandle)member.Parent)
            let type = engine.GetType($"{app.GetString(name.Namespace)}.{app.GetString(name.Name)}")
            where
                type is { IsValueType: false }
                && type.GetMethod("<Clone>$") is null
                && !type.IsAssignableTo(typeof(System.Text.Json.Serialization.JsonConverter))
            select type.Name;

        made.Distinct().ShouldBe(Made, ignoreOrder: true);
    }
}
