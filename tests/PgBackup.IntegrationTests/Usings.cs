global using PgBackup.IntegrationTests.Support;
global using static PgBackup.Tests.TestRun;
global using Shouldly;
global using Xunit;
