using System.Diagnostics;
using System.Text.Json.Serialization;

namespace PgBackup.App.Render;

/// <summary>How a snapshot stands in <c>list</c>.</summary>
[JsonConverter(typeof(ListedStateConverter))]
internal enum ListedState
{
    /// <summary>It has everything that the config names.</summary>
    Complete,

    /// <summary>Something failed, or was left out.</summary>
    Incomplete,

    /// <summary>A run that was killed, or is under way.</summary>
    Unfinished,

    /// <summary>There are parts, and no manifest.</summary>
    NoManifest,

    /// <summary>Its manifest, or its folder, cannot be read.</summary>
    Unreadable,

    /// <summary>A newer version of the program wrote it.</summary>
    NewerVersion,
}

/// <summary>The words of <see cref="ListedState"/>.</summary>
internal static class ListedStates
{
    /// <summary>The word in the table and in JSON.</summary>
    public static string Word(this ListedState state) =>
        state switch
        {
            ListedState.Complete => "complete",
            ListedState.Incomplete => "incomplete",
            ListedState.Unfinished => "unfinished",
            ListedState.NoManifest => "no manifest",
            ListedState.Unreadable => "unreadable",
            ListedState.NewerVersion => "newer version",
            _ => throw new UnreachableException(),
        };
}

/// <summary>A <see cref="ListedState"/> in JSON.</summary>
internal sealed class ListedStateConverter() : WordConverter<ListedState>(ListedStates.Word);
