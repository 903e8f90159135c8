namespace PgBackup.Host;

/// <summary>Why a file could not be written, as one kind of error.</summary>
internal static class FileError
{
    /// <summary>EFBIG, as the HResult of the error: the file may not grow further.</summary>
    public const int TooLarge = 27;

    /// <summary>
    /// The error of the system, or null for any other. A file that may not grow further (EFBIG: a limit of the file system, or
    /// <c>ulimit -f</c>, which a process learns by SIGXFSZ, if it continues) is an argument out of range to .NET.
    /// </summary>
    public static IOException? Of(Exception e) =>
        e switch
        {
            IOException error => error,
            ArgumentOutOfRangeException => new IOException("File too large: more than the file system or `ulimit -f` allows", e)
            {
                HResult = TooLarge,
            },
            _ => null,
        };
}
