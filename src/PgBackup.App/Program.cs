using PgBackup.App;

return await CommandLine.RunAsync(args);
