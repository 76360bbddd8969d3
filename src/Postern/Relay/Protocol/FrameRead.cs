using System.Diagnostics.CodeAnalysis;

namespace Postern.Relay.Protocol;

/// <summary>The result of reading a frame: the frame, or what is wrong with it.</summary>
internal readonly record struct FrameRead(Frame? Frame, FrameFault Fault)
{
    /// <summary>Returns true with the frame, or false with the fault.</summary>
    public bool Try([NotNullWhen(true)] out Frame? frame, out FrameFault fault)
    {
        (frame, fault) = (Frame, Fault);
        return frame is not null;
    }
}
