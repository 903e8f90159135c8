namespace PgBackup.Host;

/// <summary>What the kernel says of a name, a link not followed (statx(2)).</summary>
internal sealed record FileFacts
{
    private const int KindMask = 0xF000;
    private const int Link = 0xA000;
    private const int Folder = 0x4000;
    private const int Regular = 0x8000;
    private const int Sticky = 0x200;

    /// <summary>The user who owns it, by number.</summary>
    public required uint Owner { get; init; }

    /// <summary>Kind and permissions, as in stat(2).</summary>
    public required int Mode { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>How many names it has.</summary>
    public required long Names { get; init; }

    /// <summary>When its content was changed last, in UTC.</summary>
    public required DateTimeOffset Modified { get; init; }

    /// <summary>The number of its file system and of it in there: the same for every name of it, by whatever link or mount.</summary>
    public required (uint Major, uint Minor, ulong Number) Place { get; init; }

    /// <summary>A symbolic link.</summary>
    public bool IsLink => (Mode & KindMask) == Link;

    /// <summary>A folder.</summary>
    public bool IsFolder => (Mode & KindMask) == Folder;

    /// <summary>A regular file.</summary>
    public bool IsRegular => (Mode & KindMask) == Regular;

    /// <summary>Others may make names in it, and remove only their own.</summary>
    public bool IsSticky => (Mode & Sticky) != 0;

    /// <summary>Only its owner may write to it.</summary>
    public bool IsWrittenByOwnerAlone => (Permissions & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0;

    /// <summary>It belongs to root or to the user of this process.</summary>
    public bool IsOwnedByUs => Owner == 0 || Owner == Posix.User;

    /// <summary>A folder in which no other user (but root) can exchange a file that is not theirs.</summary>
    public bool IsSafeFolder => IsFolder && IsOwnedByUs && (IsWrittenByOwnerAlone || IsSticky);

    /// <summary>The permissions.</summary>
    public UnixFileMode Permissions => (UnixFileMode)(Mode & 0x1FF);

    /// <summary>The permissions as chmod takes them, <c>0640</c>.</summary>
    public string PermissionText => "0" + Convert.ToString(Mode & 0x1FF, 8).PadLeft(3, '0');
}
