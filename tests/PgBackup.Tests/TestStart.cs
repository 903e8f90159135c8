using System.Runtime.CompilerServices;
using PgBackup.Tools;

namespace PgBackup.Tests;

/// <summary>What the program does at its start, and tests that run tools need too.</summary>
internal static class TestStart
{
    [ModuleInitializer]
    internal static void ReserveThreads() => ToolProcess.ReserveThreads();
}
