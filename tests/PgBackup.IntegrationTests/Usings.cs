global using PgBackup.IntegrationTests.Support;
global using Shouldly;
global using Xunit;
global using static PgBackup.Tests.TestRun;
