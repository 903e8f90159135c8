global using static PgBackup.Tests.TestRun;
global using Shouldly;
global using Xunit;
