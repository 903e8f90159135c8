namespace PgBackup.Soak.Kinds;

/// <summary>What happens to a file by a bad disk, a bad tool or a bad hand.</summary>
internal static class Damage
{
    /// <summary>Does one of them, and says which.</summary>
    /// <param name="strike">Whose random numbers decide.</param>
    /// <param name="file">The victim.</param>
    /// <param name="others">Objects whose content may be exchanged with it.</param>
    /// <param name="otherId">A snapshot whose object of the same name may take its place.</param>
    /// <param name="id">The victim's snapshot.</param>
    public static async Task<string> DoAsync(Strike strike, string file, IReadOnlyList<string> others, string otherId, string id)
    {
        byte[] bytes = await File.ReadAllBytesAsync(file);
        int at = strike.Random.Next(Math.Max(1, bytes.Length));
        switch (strike.Random.Next(9))
        {
            case 0 or 1 or 2 when bytes.Length > 0:
                int bit = strike.Random.Next(8);
                bytes[at] ^= (byte)(1 << bit);
                await File.WriteAllBytesAsync(file, bytes);
                return $"bit {bit} of byte {at} of {bytes.Length} flipped";
            case 3:
                await File.WriteAllBytesAsync(file, bytes[..at]);
                return $"cut to {at} of {bytes.Length} bytes";
            case 4:
                byte[] more = new byte[1 + strike.Random.Next(strike.Pick(1, 40, 5000))];
                strike.Random.NextBytes(more);
                await File.WriteAllBytesAsync(file, [.. bytes, .. strike.Chance(0.3) ? "\n"u8.ToArray() : more]);
                return "bytes appended";
            case 5:
                await File.WriteAllBytesAsync(file, []);
                return "emptied";
            case 6:
                File.Delete(file);
                return "removed";
            case 7:
                string other = strike.Pick(others);
                byte[] theirs = await File.ReadAllBytesAsync(other);
                await File.WriteAllBytesAsync(other, bytes);
                await File.WriteAllBytesAsync(file, theirs);
                return $"exchanged with {Path.GetFileName(other).Replace(id, "ID", StringComparison.Ordinal)}";
            default:
                string twin = file.Replace(id, otherId, StringComparison.Ordinal);
                File.Copy(twin, file, overwrite: true);
                return "replaced by that of another snapshot";
        }
    }
}
