using PgBackup.App;

CleanStart.Ensure();
return await CommandLine.RunAsync(args);
