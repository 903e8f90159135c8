namespace PgBackup.Records;

/// <summary>There was nothing to do: no error, and no record is left of it.</summary>
/// <param name="why">Why.</param>
public abstract class NothingDoneException(string why) : Exception(why);
