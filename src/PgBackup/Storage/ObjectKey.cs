namespace PgBackup.Storage;

/// <summary>What is a key of an object, the same in every kind of store: names with slashes between them, and no way out of the
/// store.</summary>
internal static class ObjectKey
{
    /// <summary>True for one or more names with a slash between each two; none is empty, <c>.</c> or <c>..</c>, or has a NUL.</summary>
    public static bool IsValid(string key) =>
        !key.Contains('\0', StringComparison.Ordinal) && key.Split('/').All(static name => name is not ("" or "." or ".."));

    /// <summary>Refuses every other key.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreUnavailable"/>.</exception>
    public static void Require(string key, string store)
    {
        if (!IsValid(key))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the key \"{key}\" leads out of the store {store}, or is not a valid name for an object."
            );
        }
    }
}
