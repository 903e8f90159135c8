using System.Globalization;
using PgBackup.Soak;

// make soak: puts faults to the published binary, and judges what it makes of them.
Options options;
try
{
    options = Options.Read(args);
}
catch (FormatException e)
{
    Console.Error.WriteLine($"soak: {e.Message}");
    return 2;
}

FaultKind[] kinds = [.. FaultKinds.All.Where(k => k.Name.StartsWith(options.Kind, StringComparison.Ordinal))];
if (kinds.Length == 0)
{
    string all = string.Join(", ", FaultKinds.All.Select(static k => k.Name));
    Console.Error.WriteLine($"soak: no kind's name begins with \"{options.Kind}\"; there are: {all}");
    return 2;
}

string repeat = $"make soak SEED={options.Seed}{(options.Kind.Length > 0 ? $" KIND=\"{options.Kind}\"" : "")}";
Console.WriteLine($"seed {options.Seed} ({repeat} does the same again)");
using var ending = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    ending.Cancel();
};

var campaign = new Campaign(options, kinds);
await campaign.RunAsync(Tell, ending.Token);

Console.WriteLine();
foreach (FaultKind kind in kinds)
{
    Strike[] of = [.. campaign.Strikes.Where(s => s.Kind == kind)];
    Console.WriteLine($"{kind.Name, -24} {of.Length, 6:N0} faults: {Counts(of)}");
}

int bad = campaign.Strikes.Sum(static s => s.Findings.Count);
string number = campaign.Strikes.Count.ToString("N0", CultureInfo.InvariantCulture);
Console.WriteLine($"{number} faults, {Counts([.. campaign.Strikes])} (in {campaign.Elapsed.TotalMinutes:0.0} min)");
return bad == 0 && campaign.Strikes.Count > 0 ? 0 : 1;

void Tell(Strike strike)
{
    foreach (Finding finding in strike.Findings)
    {
        Console.WriteLine($"{finding.Verdict}: fault {strike.Number}, {strike.Kind!.Name}: {finding.What}");
        Console.WriteLine($"    repeat: {repeat} ONLY={strike.Number}; steps: {string.Join("; ", strike.Steps)}");
    }

    if (options.Only > 0 && strike.Findings.Count == 0)
    {
        Console.WriteLine($"fault {strike.Number}, {strike.Kind!.Name}: good; steps: {string.Join("; ", strike.Steps)}");
    }
    else if (campaign.Strikes.Count % 100 == 0)
    {
        Console.WriteLine($"{campaign.Strikes.Count} faults in {campaign.Elapsed.TotalMinutes:0.0} min");
    }
}

static string Counts(IReadOnlyCollection<Strike> strikes)
{
    Finding[] all = [.. strikes.SelectMany(static s => s.Findings)];
    string line =
        $"{Count(Verdict.Lost)} lost, {Count(Verdict.FalselyGood)} falsely good, {Count(Verdict.Internal)} PGB-0001, "
        + $"{Count(Verdict.LeftBehind)} left behind";
    return all.Any(static f => f.Verdict == Verdict.NotJudged) ? $"{line}, {Count(Verdict.NotJudged)} not judged" : line;

    int Count(Verdict verdict) => all.Count(f => f.Verdict == verdict);
}
