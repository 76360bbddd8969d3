using System.Collections;
using Postern.Settings;

namespace Postern.Tests.Hosting;

public sealed class SettingsTests
{
    [Fact]
    public void The_environment_wins_over_the_file_and_lists_are_comma_separated()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(
            file,
            "{\"Postern\":{\"RateLimits\":{\"ProjectBurst\":5,\"TokenBurst\":6},"
                + "\"Operators\":{\"TrustedProxies\":[\"10.0.0.0/8\",\"::1/128\"],"
                + "\"Roles\":{\"ada\":\"operator.admin\"}}}}"
        );
        var options = SettingsReader.Read(
            file,
            new Hashtable
            {
                ["POSTERN_RateLimits__ProjectBurst"] = "7",
                ["POSTERN_Outbound__AllowedNetworks"] = "10.1.0.0/16, 10.2.0.0/16",
                ["POSTERN_ROOT_KEY"] = "not a setting",
                ["PATH"] = "/bin",
            }
        );
        Assert.Equal((7, 6), (options.RateLimits.ProjectBurst, options.RateLimits.TokenBurst));
        Assert.Equal(["10.0.0.0/8", "::1/128"], options.Operators.TrustedProxies);
        Assert.Equal("operator.admin", options.Operators.Roles["ada"]);
        Assert.Equal(2, options.Outbound.AllowedNetworks.Length);
        File.Delete(file);
    }

    [Fact]
    public void A_list_may_be_given_an_item_a_variable_in_their_order_and_then_replaces_that_of_the_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "{\"Postern\":{\"Outbound\":{\"AllowedNetworks\":[\"10.9.0.0/16\"]}}}");
        var options = SettingsReader.Read(
            file,
            new Hashtable
            {
                ["POSTERN_Outbound__AllowedNetworks__10"] = "10.3.0.0/16",
                ["POSTERN_Outbound__AllowedNetworks__0"] = "10.1.0.0/16",
                ["POSTERN_Outbound__AllowedNetworks__2"] = "10.2.0.0/16",
            }
        );
        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"], options.Outbound.AllowedNetworks);
        File.Delete(file);
    }

    [Fact]
    public void All_faults_are_reported_together()
    {
        var fault = Assert.Throws<SettingsException>(() =>
            SettingsReader.Read(
                null,
                new Hashtable
                {
                    ["POSTERN_RateLimits__ProjectBurst"] = "many",
                    ["POSTERN_RateLimits__TokenBurst"] = "-1",
                    ["POSTERN_RateLimit__TokenBurst"] = "5",
                    ["POSTERN_Operators__TrustedProxies"] = "everyone",
                    ["POSTERN_Telemetry__Endpoint"] = "collector",
                }
            )
        );
        Assert.Equal(5, fault.Faults.Count);
        Assert.Contains(fault.Faults, f => f.Contains("RateLimit:TokenBurst is no setting", StringComparison.Ordinal));
    }
}
