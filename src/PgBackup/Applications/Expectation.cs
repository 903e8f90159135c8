using System.Globalization;

namespace PgBackup.Applications;

/// <summary>
/// What a check's query must answer: <c>rows</c> (at least one row), a comparison with a number or text (<c>&gt; 0</c>, <c>&lt;= 5</c>,
/// <c>!= x</c>), or an exact value. <c>true</c> and <c>false</c> are also what psql writes <c>t</c> and <c>f</c>.
/// </summary>
public sealed record Expectation
{
    private static readonly string[] Operators = [">=", "<=", "!=", ">", "<", "="];

    private Expectation(string text, string comparison, string value)
    {
        Text = text;
        this.comparison = comparison;
        this.value = value;
    }

    private readonly string comparison;
    private readonly string value;

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads one; null where an operator is followed by nothing, or orders what is no number.</summary>
    public static Expectation? TryParse(string text)
    {
        string trimmed = text.Trim();
        if (trimmed == "rows")
        {
            return new Expectation(text, "rows", "");
        }

        string sign = Operators.FirstOrDefault(o => trimmed.StartsWith(o, StringComparison.Ordinal)) ?? "";
        string operand = trimmed[sign.Length..].Trim();
        bool orders = sign is ">" or "<" or ">=" or "<=";
        return (sign.Length > 0 && operand.Length == 0) || (orders && Number(operand) is null)
            ? null
            : new Expectation(text, sign.Length == 0 ? "=" : sign, operand);
    }

    /// <summary>The answer is as expected. Null stands for no row, or for SQL's NULL.</summary>
    public bool IsMetBy(string? answer, int rows)
    {
        if (comparison == "rows")
        {
            return rows > 0;
        }

        if (answer is null)
        {
            return false;
        }

        int? order = Number(answer) is { } a && Number(value) is { } b ? a.CompareTo(b) : null;
        return comparison switch
        {
            ">" => order > 0,
            ">=" => order >= 0,
            "<" => order < 0,
            "<=" => order <= 0,
            "!=" => order is { } o ? o != 0 : !Same(answer),
            _ => order is { } o ? o == 0 : Same(answer),
        };
    }

    private bool Same(string answer) => answer == value || (value is "true" or "false" && answer == value[..1]);

    private static decimal? Number(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) ? number : null;
}
