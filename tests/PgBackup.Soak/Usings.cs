global using PgBackup.IntegrationTests.Support;
global using PgBackup.Soak.Bench;
