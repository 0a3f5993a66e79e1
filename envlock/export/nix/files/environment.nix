# Made by envlock; make it again with `envlock export nix`. What is built stands in env.json.
{ env, legacyPackages }:
let
  inherit (builtins) concatMap concatStringsSep filter foldl' head isAttrs listToAttrs map seq toJSON tryEval;

  none = what: "envlock: nixpkgs ${env.nixpkgs.rev} has no ${what}";

  # A package of nixpkgs, by the first of its attributes that this revision has and that is no
  # error there: names change from year to year.
  find = pkgs: wanted:
    let
      step = set: name: if isAttrs set && set ? ${name} then set.${name} else throw "";
      try = path: tryEval (let value = foldl' step pkgs path; in seq value value);
      found = filter (result: result.success) (map try wanted.attributes);
      names = concatStringsSep ", " (map (concatStringsSep ".") wanted.attributes);
    in
    if found == [ ] then throw "${none names} (${wanted.for}); ${wanted.remedy}"
    else (head found).value;

  library = package: "${package.lib or package.out or package}/lib";
  program = package: "${package.bin or package.out or package}/bin";

  build = target:
    let
      pkgs = legacyPackages.${target.system} or (throw (none target.system));
      inherit (pkgs) stdenv;

      python =
        let found = find pkgs target.python; in
        if target.python.version == null || target.python.version == found.version then found
        else throw "${none "CPython ${target.python.version}"}, but ${found.version}; ${target.python.remedy}";

      libc = stdenv.cc.libc.version;
      fetch = file:
        if file.glibc or null != null && builtins.compareVersions libc file.glibc < 0
        then throw "envlock: ${file.name} needs glibc ${file.glibc}, and nixpkgs ${env.nixpkgs.rev} has ${libc}"
        else pkgs.fetchurl { inherit (file) name url sha256; };

      packages = map (find pkgs) target.packages;
      programs = map (find pkgs);
      libraries = [ python ] ++ packages
        ++ (if target.linux then [ stdenv.cc.cc.lib pkgs.zlib ] else [ ]);

      # Nothing of the machine, and nothing that changes from one run to the next.
      run = interpreter: script: "PYTHONHASHSEED=0 ${interpreter} -s -B -X utf8 ${script}";

      # All wheels in one output, so that libraries of one find those of another.
      environment = { name, wheels, share ? { } }: stdenv.mkDerivation {
        inherit name;
        dontUnpack = true;
        dontConfigure = true;
        dontBuild = true;
        dontStrip = true;
        dontPatchELF = true;
        dontPatchShebangs = true;
        dontGzipMan = true;
        meta.mainProgram = "python";
        nativeBuildInputs = if target.linux then [ python pkgs.autoPatchelfHook ] else [ python ];
        buildInputs = libraries;
        # The driver of a GPU belongs to the machine: looked for when the program runs.
        autoPatchelfIgnoreMissingDeps = target.host-libraries;
        appendRunpaths = [ target.driver ] ++ map library packages;
        # A list of many wheels does not fit an environment variable.
        passAsFile = [ "specification" ];
        specification = toJSON { inherit wheels share; };
        installPhase = ''
          runHook preInstall
          unset PYTHONPATH
          ${run python.interpreter ./install.py} "$specificationPath" "$out"
          runHook postInstall
        '';
      };

      wheel = package: "${fetch package.wheel}";
      preferWheel = package: if package.wheel == null then preferSource package else wheel package;
      preferSource = package:
        if package.build == null then wheel package
        else "${built target.builds.${package.build}}";

      # One sdist through its PEP 517 backend, in an environment of what was locked for that.
      built = recipe:
        let
          tools = environment {
            name = recipe.tools;
            wheels = map preferWheel target.graphs.${recipe.graph};
          };
        in
        stdenv.mkDerivation {
          inherit (recipe) name;
          dontUnpack = true;
          dontConfigure = true;
          dontBuild = true;
          dontFixup = true;
          nativeBuildInputs = [ tools ] ++ programs recipe.programs;
          buildInputs = libraries;
          passAsFile = [ "specification" ];
          specification = toJSON {
            inherit (recipe) backend subdirectory;
            backend-path = recipe.backend-path;
            sdist = "${fetch recipe.sdist}";
          };
          installPhase = ''
            unset PYTHONPATH
            ${run "${tools}/bin/python" ./build_wheel.py} "$specificationPath" "$out"
          '';
        };

      share.lock = "${./lock.toml}";
      default = environment {
        inherit share;
        inherit (target) name;
        wheels = map preferWheel target.wheels;
      };
      image = pkgs.dockerTools.buildLayeredImage {
        name = "envlock";
        tag = target.tag;
        contents = packages;
        extraCommands = "mkdir -m 1777 tmp";
        config = {
          Cmd = [ "${default}/bin/python" ];
          Env = [
            "ENVLOCK_ENVIRONMENT=${env.environment}"
            "LD_LIBRARY_PATH=${concatStringsSep ":" (map library packages ++ target.image-driver)}"
            "PATH=${concatStringsSep ":" (map program ([ default ] ++ packages))}"
          ];
          Labels = { "org.envlock.environment" = env.environment; };
        };
      };
    in
    {
      packages = {
        inherit default;
        from-source = environment {
          name = "${target.name}-from-source";
          wheels = map preferSource target.wheels;
          share = share // {
            "from-source.json" = builtins.toFile "from-source.json" (toJSON target.from-source);
          };
        };
      } // (if target.linux then { inherit image; } else { });
      devShells.default = pkgs.mkShell {
        nativeBuildInputs = [ default ] ++ packages;
        ENVLOCK_ENVIRONMENT = env.environment;
        shellHook =
          if target.linux then ". ${./shell.sh} ${concatStringsSep ":" (map library packages)}"
          else "";
      };
      checks.imports = pkgs.runCommand "${target.name}-imports" { } ''
        HOME=$PWD ${default}/bin/python -B -s ${./check_imports.py} ${concatStringsSep " " target.imports} > $out
      '';
    };

  # `default` is that of the newest Python of a system; the others' outputs bear their names.
  named = target: name:
    if target.prefix == null then name
    else if name == "default" then target.prefix
    else "${target.prefix}-${name}";
  outputs = kind: listToAttrs (map
    (system: {
      name = system;
      value = listToAttrs (concatMap
        (target:
          let made = (build target).${kind}; in
          map (name: { name = named target name; value = made.${name}; }) (builtins.attrNames made))
        (filter (target: target.system == system) env.targets));
    })
    env.systems);
in
{
  packages = outputs "packages";
  devShells = outputs "devShells";
  checks = outputs "checks";
}
