using Postern.Settings;

namespace Postern.Tests.Hosting;

public sealed class ServerAddressTests
{
    [Theory]
    [InlineData("http://0.0.0.0:7400", "http://127.0.0.1:7400")]
    [InlineData("http://[::]:7400", "http://127.0.0.1:7400")]
    [InlineData("http://*:7400", "http://127.0.0.1:7400")]
    [InlineData("http://+:7400", "http://127.0.0.1:7400")]
    public void A_server_that_listens_everywhere_and_has_no_public_url_names_itself_alone(string listens, string links)
    {
        var address = new ServerAddress(new PosternOptions());
        address.ListensOn(listens);
        Assert.True(address.NamesItselfAlone([listens]));
        Assert.Equal(links, address.Url);
        var known = new ServerAddress(new PosternOptions { PublicUrl = "https://agents.example.com" });
        known.ListensOn(listens);
        Assert.False(known.NamesItselfAlone([listens]));
        Assert.Equal("https://agents.example.com", known.Url);
    }

    [Theory]
    [InlineData("http://127.0.0.1:7400")]
    [InlineData("http://localhost:7400")]
    [InlineData("http://10.0.0.8:7400")]
    public void A_server_that_listens_on_one_address_names_it(string listens)
    {
        var address = new ServerAddress(new PosternOptions());
        address.ListensOn(listens);
        Assert.False(address.NamesItselfAlone([listens]));
        Assert.Equal(listens, address.Url);
    }
}
