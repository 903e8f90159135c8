using System.Text;
using System.Text.Json.Nodes;
using PgBackup.Host;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Snapshots;

public sealed class ManifestTests
{
    [Fact]
    public void Its_json_is_as_documented() =>
        Encoding.UTF8.GetString(ManifestSample.Incomplete(ManifestSample.Id).ToJson()).ShouldBeAsExpected("manifest.json");

    [Theory]
    [InlineData("gpg")]
    [InlineData("age")]
    [InlineData("none")]
    public void What_was_written_reads_back_the_same(string encryption)
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id, encryption) with { LeftOut = ["a"] };

        Manifest read = Manifest.Read(manifest.ToJson(), "x");

        read.ToJson().ShouldBe(manifest.ToJson());
        read.Recipients.ShouldBe(manifest.Recipients);
        read.Databases.Select(static p => p.Database).ShouldBe(["ciam_kratos", "it's \"odd\" | größe"]);
        read.Parts[1].Proof.Tables.ShouldBe(manifest.Parts[1].Proof.Tables);
        read.Started.ShouldBe(ManifestSample.Id.Time);
    }

    [Fact]
    public void One_of_before_there_were_warnings_has_none()
    {
        JsonNode json = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!;
        foreach (JsonObject one in (JsonObject[])[json.AsObject(), .. json["parts"]!.AsArray().Select(static p => p!.AsObject())])
        {
            one.Remove("warnings");
            one.Remove("findings");
            one.Remove("left_out");
            one.Remove("server_databases");
        }

        Manifest read = Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x");

        read.AllFindings.ShouldBeEmpty();
        read.LeftOut.ShouldBeEmpty();
        read.ServerDatabases.ShouldBeNull();
        read.Parts.ShouldAllBe(static p => p.Warnings.Count == 0);
        read.IsComplete.ShouldBeTrue();
    }

    [Fact]
    public void It_is_complete_when_nothing_failed_and_nothing_was_left_out()
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);

        manifest.IsComplete.ShouldBeTrue();
        (manifest with { LeftOut = ["a"] }).IsComplete.ShouldBeFalse();
        ManifestSample.Incomplete(ManifestSample.Id).IsComplete.ShouldBeFalse();
        manifest.StoredBytes.ShouldBe((2 * 82_100_000) + 1200);
        manifest.Globals.ShouldNotBeNull().Object.ShouldBe("20260301T030000Z-globals.sql.gpg");
        (manifest with { Parts = [.. manifest.Databases] }).Globals.ShouldBeNull();
    }

    [Fact]
    public void A_newer_format_is_refused_with_the_way_out()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() =>
            Manifest.Read("""{"format": 2, "something": "new"}"""u8.ToArray(), "the manifest x")
        );

        error.Code.ShouldBe(ErrorCode.ManifestTooNew);
        error.Message.ShouldBe(
            $"the manifest x was made by a newer version of olympus-pgbackup: it has format 2, and this version "
                + $"({ProductVersion.Text}) reads up to 1."
        );
        error.Remedy.ShouldNotBeNull().ShouldContain("RESTORE.md");
    }

    [Theory]
    [InlineData("0.1.0")]
    [InlineData("0.0.9")]
    [InlineData("agf")]
    public void An_unknown_kind_of_encryption_in_a_manifest_of_this_version_is_damage(string tool)
    {
        Manifest sample = ManifestSample.Of(ManifestSample.Id) with { Encryption = "agf", Tool = tool };

        Should.Throw<PgBackupException>(() => Manifest.Read(sample.ToJson(), "the manifest x")).Code.ShouldBe(ErrorCode.ManifestUnreadable);
    }

    [Theory]
    [InlineData("pgp2", "9.9.9", ", 9.9.9: it is encrypted by \"pgp2\"", "Use version 9.9.9 or later")]
    [InlineData("GPG", "0.10.0-beta+7", ", 0.10.0-beta+7: it is encrypted by \"GPG\"", "Use version 0.10.0-beta+7 or later")]
    public void An_unknown_kind_of_encryption_is_of_a_newer_version_and_never_clear_text(
        string kind,
        string tool,
        string what,
        string remedy
    )
    {
        Manifest sample = ManifestSample.Of(ManifestSample.Id) with { Encryption = kind, Tool = tool };
        JsonObject json = JsonNode.Parse(sample.ToJson())!.AsObject();
        json["parts"] = "in a form that only the newer version knows";

        foreach (
            Action read in (Action[])
                [
                    () => Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), $"the snapshot {ManifestSample.Id}"),
                    () => _ = sample.EncryptedBy(),
                ]
        )
        {
            PgBackupException error = Should.Throw<PgBackupException>(read);

            error.Code.ShouldBe(ErrorCode.ManifestTooNew);
            error.Message.ShouldBe(
                $"the snapshot {ManifestSample.Id} was made by a newer version of olympus-pgbackup{what}, and this version "
                    + $"({ProductVersion.Text}) knows gpg, age, provider, none."
            );
            error.Remedy.ShouldNotBeNull().ShouldStartWith(remedy);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{}")]
    [InlineData("{\"format\": \"1\"}")]
    [InlineData("{\"format\": 1}")]
    [InlineData("{\"format\": 1.5}")]
    [InlineData("{\"format\": 99999999999}")]
    [InlineData("\0\0\0\0")]
    [InlineData("<html>")]
    public void What_is_no_manifest_is_unreadable(string text) => Unreadable(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void A_manifest_that_is_cut_anywhere_is_unreadable()
    {
        byte[] json = ManifestSample.Of(ManifestSample.Id).ToJson();
        for (int i = 0; i < json.Length; i += 37)
        {
            Unreadable(json[..i]);
        }
    }

    [Theory]
    [InlineData("id")]
    [InlineData("cluster")]
    [InlineData("parts")]
    [InlineData("recipients")]
    [InlineData("failures")]
    [InlineData("encryption")]
    public void A_manifest_without_a_value_that_must_be_there_is_unreadable(string name)
    {
        JsonObject json = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();
        json.Remove(name).ShouldBeTrue();
        Unreadable(Encoding.UTF8.GetBytes(json.ToJsonString()));

        json[name] = null;
        Unreadable(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    [Fact]
    public void Values_that_this_version_does_not_know_are_passed_over()
    {
        JsonObject json = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();
        json["signature"] = "new";

        Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x").Id.ShouldBe("20260301T030000Z");
    }

    [Theory]
    [InlineData("{\n  x\n}", "line 2 is not JSON")]
    [InlineData("{}", "it does not say its format")]
    [InlineData("[]", "it is not an object with a number as its format")]
    [InlineData("""{"format":"1"}""", "it is not an object with a number as its format")]
    public void What_is_wrong_is_told_in_words_of_the_file(string json, string why) =>
        Should
            .Throw<PgBackupException>(() => Manifest.Read(Encoding.UTF8.GetBytes(json), "x"))
            .Message.ShouldBe($"x cannot be read: {why}.");

    [Theory]
    [InlineData("parts")]
    [InlineData("id")]
    public void A_value_that_is_missing_or_of_another_kind_is_named(string name)
    {
        JsonObject json = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();
        foreach (JsonNode? other in (JsonNode?[])[null, 7, new JsonObject()])
        {
            json[name] = other;
            Should
                .Throw<PgBackupException>(() => Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x"))
                .Message.ShouldBe($"x cannot be read: $.{name} is missing, or of another kind than a manifest has there.");
        }
    }

    [Theory]
    [InlineData("9.9.9", ", 9.9.9: it has", "Use version 9.9.9 or later")]
    [InlineData(null, ": it has", "Use that version or later")]
    public void A_newer_version_is_named_unless_it_calls_itself_as_this_one_does(string? tool, string what, string remedy)
    {
        JsonObject json = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();
        json["format"] = Manifest.CurrentFormat + 1;
        json["tool"] = tool ?? ProductVersion.Text;

        PgBackupException error = Should.Throw<PgBackupException>(() => Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x"));

        error.Code.ShouldBe(ErrorCode.ManifestTooNew);
        error.Message.ShouldContain("newer version of olympus-pgbackup" + what);
        error.Remedy.ShouldStartWith(remedy);
    }

    private static void Unreadable(byte[] json)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => Manifest.Read(json, "the manifest x"));
        error.Code.ShouldBe(ErrorCode.ManifestUnreadable);
        error.Message.ShouldStartWith("the manifest x cannot be read: ");
        error.Remedy.ShouldNotBeNull();
    }
}
