using PgBackup.App;

// Several tools write and read at the same time; each blocking read of a pipe takes a thread.
ThreadPool.SetMinThreads(64, 16);
return await CommandLine.RunAsync(args);
