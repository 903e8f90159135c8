using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using PgBackup.Configuration;
using PgBackup.Host;

namespace PgBackup.Neon;

/// <summary>
/// Asks Neon's API how far back the project of the config can be restored. It reads, and changes nothing. The key is read from its file
/// at each use, goes to <c>console.neon.tech</c> alone, and is in no message.
/// </summary>
/// <param name="config">The project.</param>
/// <param name="clock">The time.</param>
public sealed class NeonClient(NeonConfig config, TimeProvider clock)
{
    /// <summary>Where the API is.</summary>
    public static Uri Api { get; } = new("https://console.neon.tech/api/v2/");

    // Some hundred branches, with what else Neon says of each, take a tenth of it.
    private const int MostBytes = 1024 * 1024;

    private const string AskAgain = "`olympus-pgbackup status` asks again";

    // All three questions are asked at the same time.
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeyTime = TimeSpan.FromSeconds(1);

    // A redirect would take the key to somebody else.
    private static readonly HttpClient Http = new(
        new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        }
    )
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Another address, for tests.</summary>
    internal Uri Base { get; init; } = Api;

    /// <summary>Asks. It takes some six seconds at most; what cannot be found out is said.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<NeonReading> ReadAsync(CancellationToken cancel)
    {
        NeonTold<string> key =
            await Patience.WithinAsync(c => Task.FromResult(NeonKey.Read(config.KeyFile, KeyTime, c)), KeyTime, clock, cancel)
            ?? NeonTold<string>.Nothing($"{config.KeyFile} cannot be read in time", "Look at its disk");
        if (key.Value is not { } secret)
        {
            return new NeonReading { Problem = key.Problem };
        }

        string path = $"projects/{config.Project}";
        Task<NeonTold<ProjectAnswer>> project = AskAsync(path, secret, NeonJson.Default.ProjectAnswer, cancel);
        Task<NeonTold<BranchesAnswer>> branches = AskAsync($"{path}/branches?limit=500", secret, NeonJson.Default.BranchesAnswer, cancel);
        Task<NeonTold<EndpointsAnswer>> endpoints = AskAsync($"{path}/endpoints", secret, NeonJson.Default.EndpointsAnswer, cancel);
        await Task.WhenAll(project, branches, endpoints);
        return NeonAnswers.Read(config, await project, await branches, await endpoints);
    }

    private async Task<NeonTold<T>> AskAsync<T>(string path, string key, JsonTypeInfo<T> type, CancellationToken cancel)
        where T : class =>
        await Patience.WithinAsync(c => GetAsync(path, key, type, c), AnswerTime, clock, cancel)
        ?? NeonTold<T>.Nothing($"no answer within {AnswerTime.TotalSeconds:0} s", $"Look at the network of this host. {AskAgain}");

    private async Task<NeonTold<T>> GetAsync<T>(string path, string key, JsonTypeInfo<T> type, CancellationToken cancel)
        where T : class
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Base, path));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
            request.Headers.UserAgent.Add(new ProductInfoHeaderValue("olympus-pgbackup", ProductVersion.Text));
            using HttpResponseMessage answer = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            if (answer.StatusCode != HttpStatusCode.OK)
            {
                return new NeonTold<T>(null, Refusal(answer.StatusCode));
            }

            await answer.Content.LoadIntoBufferAsync(MostBytes, cancel);
            byte[] body = await answer.Content.ReadAsByteArrayAsync(cancel);
            return JsonSerializer.Deserialize(body, type) is { } value ? new NeonTold<T>(value, null) : Nonsense();
        }
        catch (JsonException)
        {
            return Nonsense();
        }
        catch (HttpRequestException e) when (!cancel.IsCancellationRequested)
        {
            return e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded
                ? NeonTold<T>.Nothing($"its answer is larger than {MostBytes / 1024 / 1024} MiB", AskAgain)
                : NeonTold<T>.Nothing(HttpFailure.Text(e), $"Look at the network of this host. {AskAgain}");
        }
        catch (IOException) when (!cancel.IsCancellationRequested)
        {
            return NeonTold<T>.Nothing("it ended the connection", AskAgain);
        }

        static NeonTold<T> Nonsense() => NeonTold<T>.Nothing("what it answered is not what Neon's API answers", AskAgain);
    }

    private NeonProblem Refusal(HttpStatusCode status)
    {
        string said = string.Create(CultureInfo.InvariantCulture, $"it answered {(int)status}");
        return status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new NeonProblem(
                $"the key has no right to it ({said})",
                $"Make a key for the project in the Neon console, and write it alone into {ShellText.Word(config.KeyFile)} (mode 0600)"
            ),
            HttpStatusCode.NotFound => new NeonProblem(
                $"there is no such project for this key ({said})",
                "Correct project: of neon: in the config, or make a key that may see the project"
            ),
            >= HttpStatusCode.Ambiguous and < HttpStatusCode.BadRequest => new NeonProblem(
                $"{said}, and leads elsewhere: redirects are not followed",
                AskAgain
            ),
            _ => new NeonProblem(said, AskAgain),
        };
    }
}
