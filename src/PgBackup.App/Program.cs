using PgBackup.App;
using PgBackup.Tools;

CleanStart.Ensure();
ToolProcess.ReserveThreads();
#pragma warning disable RS0030 // the one place; from here the clock is handed down
return await CommandLine.RunAsync(args, TimeProvider.System);
