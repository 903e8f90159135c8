using PgBackup.Host;

namespace PgBackup.Tests.Host;

public sealed class MountKindTests
{
    private static readonly string[] Mounts =
    [
        "/dev/vda1 / ext4 rw 0 0",
        "nas:/backups /mnt/nas nfs4 rw 0 0",
        "/dev/sdb1 /mnt/nas/local ext4 rw 0 0",
        "host:/x /mnt/with\\040space fuse.sshfs rw 0 0",
        "/dev/sdc1 /mnt/twice ext4 rw 0 0",
        "//host/x /mnt/twice cifs rw 0 0",
        "broken",
    ];

    [Theory]
    [InlineData("/backups", false)]
    [InlineData("/mnt/nas", true)]
    [InlineData("/mnt/nas/olympus/", true)]
    [InlineData("/mnt/nasty", false)]
    [InlineData("/mnt/nas/local/olympus", false)]
    [InlineData("/mnt/with space/olympus", true)]
    [InlineData("/mnt/twice", true)]
    public void A_folder_is_elsewhere_where_the_nearest_mount_above_it_is_of_a_network(string folder, bool isNetwork) =>
        MountKind.IsNetwork(folder, Mounts).ShouldBe(isNetwork);

    [Fact]
    public void A_folder_of_the_temporary_folder_is_here() => MountKind.IsNetwork(Path.GetTempPath()).ShouldBeFalse();
}
