# Images without a daemon, for other scripts to source: what a program needs is put under a folder, and the folder is
# packed as an OCI image. The same folder gives the same bytes, wherever and whenever it is packed.

# Puts files into a folder, each at the place that it has here: the folder, then the files.
take() {
  local root=$1 file
  shift
  for file in "$@"; do
    [ -e "$root$file" ] && continue
    mkdir -p "$root$(dirname "$file")"
    cp --dereference --recursive "$file" "$root$file"
  done
}

# The libraries that a program is linked with, the loader among them; none for a static one.
libraries_of() {
  ldd "$1" 2>/dev/null | grep --only-matching '/[^ ]*' | sort --unique || true
}

# Puts a program into a folder, with its libraries: the folder, the program, its place when that is another.
take_program() {
  local root=$1 program=$2 place=${3:-$2} libraries
  mkdir -p "$root$(dirname "$place")"
  install --mode 755 "$program" "$root$place"
  mapfile -t libraries < <(libraries_of "$program")
  take "$root" "${libraries[@]}"
}

# The user that programs run as, and the folders that they may write.
take_user() {
  local root=$1 name=$2 id=$3
  mkdir -p "$root/etc" "$root/tmp"
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\n%s:x:%s:%s:%s:/tmp:/sbin/nologin\n' "$name" "$id" "$id" "$name" >"$root/etc/passwd"
  printf 'root:x:0:\n%s:x:%s:\n' "$name" "$id" >"$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
}

# Adds a file to the blobs of an image, and says `"digest": …, "size": …` of it.
blob() {
  local image=$1 file=$2 sum
  sum=$(sha256sum "$file" | cut -d ' ' -f 1)
  printf '"digest": "sha256:%s", "size": %s' "$sum" "$(stat --format %s "$file")"
  mv "$file" "$image/blobs/sha256/$sum"
}

# Packs a folder: the folder, the archive, the image's name with its tag, and its `config` as JSON
# (https://github.com/opencontainers/image-spec). `ctr images import`, `docker load` and `kind load image-archive` take it.
pack() {
  local root=$1 archive=$2 name=$3 settings=$4 image plain layer config manifest
  image=$(mktemp -d)
  mkdir -p "$image/blobs/sha256"
  tar --create --file "$image/layer" --directory "$root" --sort name --mtime @0 --owner 0 --group 0 --numeric-owner \
    --format ustar .
  plain=$(sha256sum "$image/layer" | cut -d ' ' -f 1)
  unpacked=$(stat --format %s "$image/layer")
  nice gzip --no-name -9 "$image/layer"
  packed=$(stat --format %s "$image/layer.gz")
  layer=$(blob "$image" "$image/layer.gz")
  printf '{"architecture": "%s", "os": "linux", "created": "1970-01-01T00:00:00Z", "config": %s, "rootfs": {"type": "layers", "diff_ids": ["sha256:%s"]}}' \
    "$(architecture)" "$settings" "$plain" >"$image/config"
  config=$(blob "$image" "$image/config")
  printf '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", %s}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", %s}]}' \
    "$config" "$layer" >"$image/manifest"
  manifest=$(blob "$image" "$image/manifest")
  printf '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", %s, "annotations": {"io.containerd.image.name": "%s", "org.opencontainers.image.ref.name": "%s"}}]}' \
    "$manifest" "$name" "${name##*:}" >"$image/index.json"
  printf '{"imageLayoutVersion": "1.0.0"}' >"$image/oci-layout"
  # What Docker before version 25 reads.
  printf '[{"Config": "blobs/sha256/%s", "RepoTags": ["%s"], "Layers": ["blobs/sha256/%s"]}]' \
    "$(sum_of "$config")" "$name" "$(sum_of "$layer")" >"$image/manifest.json"
  mkdir -p "$(dirname "$archive")"
  tar --create --file "$archive" --directory "$image" --sort name --mtime @0 --owner 0 --group 0 --numeric-owner \
    --mode 'u=rwX,go=rX' --format ustar blobs index.json manifest.json oci-layout
  rm -rf "$image"
  echo "$name: $(megabytes "$packed") MB, $(megabytes "$unpacked") MB unpacked, in $archive"
}

sum_of() {
  grep --only-matching '[0-9a-f]\{64\}' <<<"$1"
}

megabytes() {
  echo "$(($1 / 1000000)).$(($1 % 1000000 / 100000))"
}

# As images name it.
architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
  esac
}
