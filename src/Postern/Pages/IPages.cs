namespace Postern.Pages;

/// <summary>A group of pages of the console, with their forms.</summary>
internal interface IPages
{
    /// <summary>Declares their doors.</summary>
    void Map(PageDoors pages);
}
