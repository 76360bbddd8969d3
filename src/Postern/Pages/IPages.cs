namespace Postern.Pages;

/// <summary>Some pages of the console, and the forms on them.</summary>
internal interface IPages
{
    /// <summary>Declares their doors.</summary>
    void Map(PageDoors pages);
}
