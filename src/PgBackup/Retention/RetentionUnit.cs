namespace PgBackup.Retention;

/// <summary>What a <see cref="RetentionLength"/> counts.</summary>
public enum RetentionUnit
{
    /// <summary>60 minutes; <c>h</c>.</summary>
    Hours,

    /// <summary>24 hours; <c>d</c>.</summary>
    Days,

    /// <summary>7 days; <c>w</c>.</summary>
    Weeks,

    /// <summary>Months of the calendar; <c>mo</c>.</summary>
    Months,

    /// <summary>Years of the calendar; <c>y</c>.</summary>
    Years,

    /// <summary>No end; <c>forever</c>.</summary>
    Forever,
}
