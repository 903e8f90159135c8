using System.Text;
using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class GlobalsStreamTests
{
    private const string End = "\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    private const string Start = "SET client_encoding = 'UTF8';\nCREATE ROLE bob;\n";

    [Theory]
    [InlineData("")]
    [InlineData("\n\\unrestrict x7\n")]
    public async Task More_statements_stand_before_the_end_where_psql_still_takes_them(string unrestrict)
    {
        string read = await ReadAsync(Start + unrestrict + End, "ALTER ROLE ALL SET \"work_mem\" TO '8MB';");

        read.ShouldStartWith(Start);
        read.ShouldEndWith($"\nALTER ROLE ALL SET \"work_mem\" TO '8MB';\n{unrestrict}{End}");
        using var script = new ScriptReader { KeepStatements = true };
        script.Read(Encoding.UTF8.GetBytes(read));
        script.RequireEnd();
        script.Statements.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Without_more_it_is_the_script_to_the_byte()
    {
        string large = string.Concat(Enumerable.Range(0, 9000).Select(static i => $"CREATE ROLE \"role {i}\";\n")) + End;

        (await ReadAsync(large)).ShouldBe(large);
        (await ReadAsync("")).ShouldBe("");
    }

    [Fact]
    public async Task A_script_that_was_cut_stays_cut()
    {
        string cut = await ReadAsync(Start, "ALTER ROLE ALL SET \"work_mem\" TO '8MB';");

        cut.ShouldBe(Start);
        using var script = new ScriptReader();
        script.Read(Encoding.UTF8.GetBytes(cut));
        Should.Throw<PgBackupException>(script.RequireEnd).Code.ShouldBe(ErrorCode.DumpUnreadable);
    }

    [Fact]
    public async Task The_end_within_a_comment_of_a_role_is_not_the_end()
    {
        string script = $"COMMENT ON ROLE bob IS '{End}';\n{End}";

        (await ReadAsync(script, "SELECT 1;")).ShouldStartWith($"COMMENT ON ROLE bob IS '{End}';\n");
    }

    [Theory]
    [InlineData("work_mem=8MB", "ALTER ROLE ALL SET \"work_mem\" TO '8MB';")]
    [InlineData("search_path=\"a \"\"b\", public", "ALTER ROLE ALL SET \"search_path\" TO 'a \"b', 'public';")]
    [InlineData("search_path=\"\"", "ALTER ROLE ALL SET \"search_path\" TO '';")]
    [InlineData("search_path=", "ALTER ROLE ALL SET \"search_path\" TO '';")]
    [InlineData("DateStyle=ISO, DMY", "ALTER ROLE ALL SET \"DateStyle\" TO 'ISO, DMY';")]
    [InlineData("my.setting=a=b 'c' \\d", "ALTER ROLE ALL SET \"my.setting\" TO E'a=b ''c'' \\\\d';")]
    public void A_setting_of_all_roles_is_worded_as_pg_dumpall_words_that_of_one(string setting, string statement) =>
        GlobalsSupplement.Setting(setting).ShouldBe(statement);

    private static async Task<string> ReadAsync(string script, params string[] more)
    {
        await using var stream = new GlobalsStream(new MemoryStream(Encoding.UTF8.GetBytes(script)), more);
        using var read = new MemoryStream();
        byte[] buffer = new byte[100];
        int count;
        while ((count = await stream.ReadAsync(buffer, Cancel)) > 0)
        {
            read.Write(buffer, 0, count);
        }

        return Encoding.UTF8.GetString(read.ToArray());
    }
}
