using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>Ids are in the order in which they are made, and cannot be guessed.</summary>
public sealed class IdTests
{
    private const long Now = 4_000_000_000_000_123;

    /// <summary>Its own maker: other tests make ids of other times meanwhile.</summary>
    private readonly IdOrder _order = new();

    [Fact]
    public void Ids_of_one_microsecond_are_in_the_order_they_were_made()
    {
        var made = Enumerable.Range(0, 20_000).Select(_ => Id.New("evt", Now, _order)).ToList();
        Assert.Equal(made.Order(StringComparer.Ordinal), made);
        Assert.All(made, id => Assert.Matches("^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$", id));
    }

    [Fact]
    public void Ids_go_on_while_a_clock_that_was_set_back_catches_up()
    {
        var now = Now + 60_000_000;
        var made = new[] { now, now - 5_000_000, now + 1, now + 1000 }.Select(at => Id.New("run", at, _order)).ToList();
        Assert.Equal(made.Order(StringComparer.Ordinal), made);
    }

    [Fact]
    public void An_id_is_a_uuid_of_version_7_whose_last_62_bits_are_random()
    {
        var made = Enumerable.Range(0, 1_000).Select(_ => Guid.Parse(Id.NewGuid(Now))).ToList();
        Assert.All(made, id => Assert.Equal((7, 0x8), (id.Version, id.Variant & 0xC)));
        var random = made.Select(id => id.ToByteArray(bigEndian: true)[8..]).ToList();
        for (var bit = 2; bit < 64; bit++)
        {
            var ones = random.Count(bytes => (bytes[bit / 8] >> (7 - (bit % 8)) & 1) == 1);
            Assert.InRange(ones, 380, 620);
        }
    }
}
