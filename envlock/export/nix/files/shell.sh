# For programs of this shell: the libraries of the OS packages that were asked for (as $1), and
# those of the machine's GPU driver, if it has one. Nothing else of the machine is made findable.
envlock_libraries=${1:-}
# NixOS has the driver in /run/opengl-driver/lib, where the environment's libraries look anyway.
if [ ! -e /run/opengl-driver/lib ]; then
    for envlock_folder in /usr/lib/wsl/lib "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib; do
        [ -e "$envlock_folder/libcuda.so.1" ] || continue
        envlock_driver=$(mktemp -d "${TMPDIR:-/tmp}/envlock-driver.XXXXXX")
        for envlock_file in "$envlock_folder"/libcuda*.so* "$envlock_folder"/libnvidia-*.so* \
            "$envlock_folder"/libnvcuvid.so*; do
            if [ -e "$envlock_file" ]; then ln -s "$envlock_file" "$envlock_driver/"; fi
        done
        envlock_libraries=${envlock_libraries:+$envlock_libraries:}$envlock_driver
        break
    done
fi
if [ -n "$envlock_libraries" ]; then
    export LD_LIBRARY_PATH="$envlock_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
