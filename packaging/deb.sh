#!/usr/bin/env bash
# Makes the Debian package: packaging/deb.sh OUT [READYTORUN]. READYTORUN=false is for tests: it builds and packs
# faster, starts slower, and makes a larger package.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?where the package goes} ready=${2:-true}
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
root=$(mktemp -d)
pack=-Zxz
[ "$ready" = true ] || pack="-Zgzip -z1"
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/postern" "$root/usr/lib/systemd/system" \
    "$root/usr/share/doc/postern" "$out"
# Beside its native library: nothing is unpacked at a start, which a read-only system does not allow.
dotnet publish src/Postern -c Release -r linux-x64 --self-contained -v quiet -nologo -p:PublishSingleFile=true \
    -p:PublishReadyToRun="$ready" -p:NuGetLockFilePath=obj/publish.lock.json -o "$root/usr/lib/postern"
ln -s ../lib/postern/postern "$root/usr/bin/postern"
cp packaging/postern.service "$root/usr/lib/systemd/system/"
cp README.md LICENSE CHANGELOG.md docs/*.md "$root/usr/share/doc/postern/"
sed "s/@VERSION@/$version/" packaging/debian/control > "$root/DEBIAN/control"
install -m 0755 packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$root/DEBIAN/"
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group $pack --build "$root" "$out/postern_${version}_amd64.deb" >/dev/null
echo "$out/postern_${version}_amd64.deb"
