//! Animals, and a web that one of them spun.

use super::Drawing;

pub(super) const ANIMALS: &[Drawing] = &[
    Drawing {
        label: "cat",
        shapes: r"<use href='#room'/>
<ellipse cx='102' cy='180' rx='68' ry='12' fill='url(#shadow)'/>
<path d='M138 168c34 2 44-24 34-44c-4-8-14-4-10 4c6 14 2 26-22 22z' fill='#d98a3c'/>
<path d='M66 178c-8-50 8-78 34-78s46 28 38 78z' fill='#e39a4b'/>
<path d='M86 178c-4-34 2-56 16-56s20 22 16 56z' fill='#f7e3c8'/>
<path d='M64 140l16 4M62 152l17 2M139 140l-16 4M141 152l-17 2' stroke='#b4661f' stroke-width='4' stroke-linecap='round'/>
<ellipse cx='85' cy='178' rx='14' ry='8' fill='#f7e3c8'/><ellipse cx='119' cy='178' rx='14' ry='8' fill='#f7e3c8'/>
<path d='M62 62L60 18L92 42zM142 62L144 18L112 42z' fill='#e39a4b'/>
<path d='M67 52L66 29L83 42zM137 52L138 29L121 42z' fill='#f0a8a0'/>
<ellipse cx='102' cy='76' rx='44' ry='38' fill='#e8a356'/>
<path d='M102 38v18M90 41l3 14M114 41l-3 14M59 78h14M131 78h14M62 90l12-3M142 90l-12-3' stroke='#b4661f' stroke-width='4' stroke-linecap='round'/>
<ellipse cx='102' cy='94' rx='20' ry='14' fill='#f9ead4'/>
<ellipse cx='84' cy='74' rx='9' ry='10' fill='#b6d44a'/><ellipse cx='120' cy='74' rx='9' ry='10' fill='#b6d44a'/>
<ellipse cx='84' cy='74' rx='3' ry='9' fill='#1a1a1a'/><ellipse cx='120' cy='74' rx='3' ry='9' fill='#1a1a1a'/>
<path d='M96 87h12l-6 7z' fill='#d4706a'/><path d='M102 94v4m0 0c-3 5-10 5-12 1m12-1c3 5 10 5 12 1' stroke='#6b3d1a' stroke-width='2' fill='none'/>
<path d='M84 94L48 88M84 98L48 102M120 94L156 88M120 98L156 102' stroke='#fff' stroke-width='1.5'/>",
    },
    Drawing {
        label: "dog",
        shapes: r"<use href='#meadow'/>
<ellipse cx='104' cy='184' rx='66' ry='10' fill='url(#shadow)'/>
<path d='M146 160c24-4 32-26 26-44c-2-6-10-4-9 3c1 14-8 24-24 26z' fill='#8a5a30'/>
<path d='M62 184c-6-54 10-82 40-82s52 28 46 82z' fill='#9c6a3a'/>
<path d='M86 150c-2-28 4-44 17-44s20 16 18 44c-2 22-33 22-35 0z' fill='#f4e6d2'/>
<path d='M78 184v-44h16v44zM114 184v-44h16v44z' fill='#8a5a30'/>
<ellipse cx='84' cy='183' rx='15' ry='8' fill='#f4e6d2'/><ellipse cx='124' cy='183' rx='15' ry='8' fill='#f4e6d2'/>
<ellipse cx='104' cy='70' rx='38' ry='40' fill='#a87442'/>
<path d='M104 32c-8 20-8 34-6 50h12c2-16 2-30-6-50z' fill='#f4e6d2'/>
<path d='M70 44c-20-6-34 16-32 46c1 16 20 16 24 0c3-14 4-26 14-38zM138 44c20-6 34 16 32 46c-1 16-20 16-24 0c-3-14-4-26-14-38z' fill='#6a4020'/>
<ellipse cx='104' cy='90' rx='25' ry='20' fill='#f4e6d2'/>
<circle cx='88' cy='66' r='6' fill='#22150c'/><circle cx='120' cy='66' r='6' fill='#22150c'/><circle cx='90' cy='64' r='2' fill='#fff'/><circle cx='122' cy='64' r='2' fill='#fff'/>
<path d='M93 80c0-8 22-8 22 0c0 6-7 10-11 10s-11-4-11-10z' fill='#1d1512'/><ellipse cx='100' cy='78' rx='4' ry='2' fill='#777'/>
<path d='M97 101h14v13c0 9-14 9-14 0z' fill='#e8677a'/>
<path d='M104 90v9m0 0c-5 6-15 5-17 0m17 0c5 6 15 5 17 0' stroke='#3a2514' stroke-width='2.5' fill='none'/>
<path d='M80 112c14 10 34 10 48 0l2 8c-16 11-36 11-52 0z' fill='#cf2f2f'/><circle cx='104' cy='127' r='6' fill='#f2c53d'/>",
    },
    Drawing {
        label: "horse",
        shapes: r"<use href='#meadow'/>
<ellipse cx='95' cy='180' rx='70' ry='8' fill='url(#shadow)'/>
<path d='M34 96c-20 10-22 44-14 66c10-12 14-40 22-54z' fill='#2d1a10'/>
<path d='M56 118l-8 60h10l14-46zM112 120l-2 58h10l10-56z' fill='#5d3519'/>
<path d='M36 108c-2-22 18-30 40-26c18 3 34 2 44-6l18-36c4-9 12-14 20-14l22 24c2 4 0 9-4 10l-14 2c-6 2-10 6-12 14c-4 22-8 40-20 48c-24 10-50 6-66 4c-14 0-26-6-28-20z' fill='#84502a'/>
<path d='M40 120l-2 26l-6 32h11l10-30l14-26zM128 118l2 30l-2 30h11l6-36l-2-32z' fill='#84502a'/>
<path d='M31 178h13v6h-13zM47 178h12v6h-12zM109 178h12v6h-12zM127 178h13v6h-13z' fill='#221610'/>
<path d='M156 26l2-16l10 14zM148 30l-2-14l12 10z' fill='#6d4020'/>
<path d='M158 22c-18 0-28 14-34 30c-5 12-10 20-20 24c12 4 24 2 30-8c6-12 10-28 24-38z' fill='#2d1a10'/>
<path d='M158 24c6 0 8 6 6 14l-8-8z' fill='#2d1a10'/>
<circle cx='163' cy='38' r='3' fill='#140c06'/><circle cx='177' cy='54' r='1.8' fill='#3a2010'/><path d='M168 60l9-1' stroke='#3a2010' stroke-width='1.5'/>",
    },
    Drawing {
        label: "elephant",
        shapes: r"<use href='#meadow'/><rect y='138' width='200' height='62' fill='#cdb06a' fill-opacity='.7'/>
<ellipse cx='104' cy='178' rx='80' ry='10' fill='url(#shadow)'/>
<path d='M176 92c10 10 10 30 8 44' stroke='#7a8087' stroke-width='4' fill='none'/><path d='M181 134h6l-1 12h-5z' fill='#4a4e53'/>
<path d='M84 120h24v58h-24zM132 120h24v58h-24z' fill='#777e86'/>
<path d='M62 96c2-40 34-52 68-50c34 2 52 26 50 60c0 14-4 24-8 32h-92c-10-8-18-24-18-42z' fill='#929aa3'/>
<path d='M70 118h26v60h-26zM150 110h26v68h-26z' fill='#929aa3'/>
<path d='M70 178v-6c2-5 7-5 8 0c2-5 7-5 8 0c2-5 8-5 10 0v6zM150 178v-6c2-5 7-5 8 0c2-5 7-5 8 0c2-5 8-5 10 0v6z' fill='#e6ddcc'/>
<path d='M34 82c0-28 20-40 40-38c22 2 34 20 32 42c-2 20-14 32-34 32c-8 0-12-2-16-6c-2 16-2 30-6 42c-4 14-24 16-30 4c-3-7 6-11 10-5c3 4 8 3 9-3c4-22-5-44-5-68z' fill='#9ea6af'/>
<path d='M36 104l16 2M35 114l18 2M36 124l17 2M36 134l16 2' stroke='#7a8189' stroke-width='2'/>
<path d='M82 50c26-6 44 12 42 42c-2 24-18 32-28 18c-8-12-22-14-22-34c0-14 2-23 8-26z' fill='#838b94'/>
<path d='M88 60c18-4 30 8 28 30c-2 16-12 20-18 10c-6-8-16-12-16-24c0-10 2-15 6-16z' fill='#b39a9c'/>
<path d='M56 106c-4 12-14 22-26 22c-4 0-4-5 0-6c8-3 12-8 14-18z' fill='#fbf6e8'/>
<circle cx='56' cy='76' r='4' fill='#1c1c1c'/><path d='M49 70c4-4 10-4 14 0' stroke='#6c737b' stroke-width='2' fill='none'/>",
    },
    Drawing {
        label: "giraffe",
        shapes: r"<use href='#meadow'/><rect y='138' width='200' height='62' fill='#cdb06a' fill-opacity='.6'/>
<path d='M168 138v-50' stroke='#6d4a28' stroke-width='5'/><ellipse cx='168' cy='84' rx='30' ry='12' fill='#5f8f3a'/><ellipse cx='156' cy='76' rx='20' ry='9' fill='#6fa045'/>
<ellipse cx='80' cy='186' rx='56' ry='7' fill='url(#shadow)'/>
<path d='M50 130l-4 54h8l8-50zM98 130l4 54h8l-2-58z' fill='#c9943f'/>
<path d='M42 116c-6 8-8 20-7 32' stroke='#c9943f' stroke-width='3' fill='none'/><path d='M33 146h5l1 12h-7z' fill='#3a2410'/>
<path d='M38 122c2-12 16-18 34-20c10-1 16-6 20-16l20-56l18 6l-18 62c-2 18-4 34-10 38c-16 6-44 6-56 2c-6-2-9-8-8-16z' fill='#ecc06a'/>
<path d='M42 130l-6 54h9l12-50zM88 132l2 52h9l6-52z' fill='#ecc06a'/>
<path d='M36 180h9v6h-9zM46 180h8v6h-8zM90 180h9v6h-9zM102 180h8v6h-8z' fill='#3a2410'/>
<path d='M110 32c-2-12 8-18 18-14l22 14c5 4 3 11-3 11l-20 1c-8 2-15-2-17-12z' fill='#ecc06a'/>
<path d='M108 20l-10-4c0 8 4 12 12 12z' fill='#d9a750'/>
<path d='M116 20l-2-12M124 18l1-12' stroke='#b07a30' stroke-width='3'/><circle cx='114' cy='7' r='3' fill='#4a2c12'/><circle cx='125' cy='5' r='3' fill='#4a2c12'/>
<circle cx='124' cy='27' r='2.8' fill='#1b120a'/><circle cx='146' cy='36' r='1.5' fill='#5a3a18'/>
<path d='M114 44l8 2l-3 9l-8-2zM108 58l11 3l-4 11l-9-4zM102 76l11 3l-4 12l-10-4zM94 96l13 2l-2 12l-12-2zM74 106l14-2l2 12l-14 3zM54 110l14-3l3 12l-15 2zM42 122l10-2l2 10l-11 2zM60 126l14-2l2 10l-14 1zM80 122l13-1l2 10l-13 3zM98 116l8 0l-2 14l-6-2zM43 142l9-1l-3 10l-7 1zM41 158l7 0l-3 9l-5 0zM90 142l9-1l-1 10l-8 0zM91 158l7 0l-1 9l-6 0z' fill='#a9652a'/>",
    },
    Drawing {
        label: "bird",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/><use href='#cloud' x='150' y='40'/><use href='#cloud' x='36' y='60'/>
<path d='M0 168c50-12 120-4 200-18v12c-70 14-140 8-200 20z' fill='#6d4a2a'/>
<path d='M150 156c10-18 24-22 40-22c-4 16-18 24-40 22zM36 168c-8-14-20-18-32-16c2 12 14 18 32 16z' fill='#5f9a3c'/>
<path d='M54 118L14 146l10 8l42-22z' fill='#2f5fa8'/>
<path d='M44 108c4-36 40-50 64-58c6-22 40-26 48-2c4 10 2 20-2 30c-10 36-40 56-74 54c-20-1-38-8-36-24z' fill='#4a86d2'/>
<path d='M150 72c-6 40-34 62-66 60c24-6 40-24 44-46c2-10 12-16 22-14z' fill='#e8894a'/>
<path d='M50 112c12-30 40-40 66-34c0 28-26 46-66 34z' fill='#2c5aa0'/><path d='M60 110c14-14 30-22 50-26M66 114c14-8 28-14 42-22' stroke='#7fb0ea' stroke-width='2' fill='none'/>
<path d='M156 48l26 6l-26 8z' fill='#f0b429'/>
<circle cx='138' cy='48' r='6' fill='#fff'/><circle cx='139' cy='48' r='4' fill='#101010'/><circle cx='140.5' cy='46.5' r='1.3' fill='#fff'/>
<path d='M88 130l-4 32m-8 0h16M108 126l2 34m-8 0h16' stroke='#8a5a20' stroke-width='3' fill='none'/>",
    },
    Drawing {
        label: "penguin",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/>
<path d='M0 120l40-30l30 22l40-40l44 42l46-26v60H0z' fill='#cfe4f2'/><rect y='128' width='200' height='30' fill='#4f9fce'/>
<path d='M0 150c60-14 140-12 200 2v48H0z' fill='#f4fafd'/><path d='M20 176c40-8 60 6 100-2' stroke='#cfe0ea' stroke-width='3' fill='none'/>
<ellipse cx='100' cy='184' rx='50' ry='8' fill='url(#shadow)'/>
<path d='M58 94c-16 20-24 44-16 58c10-4 20-16 24-36zM142 94c16 20 24 44 16 58c-10-4-20-16-24-36z' fill='#20242c'/>
<path d='M100 18c-26 0-32 20-32 36c-14 28-24 112 8 124h48c32-12 22-96 8-124c0-16-6-36-32-36z' fill='#262b34'/>
<path d='M100 62c-20 0-30 20-32 54c-2 36 10 58 32 58s34-22 32-58c-2-34-12-54-32-54z' fill='#fcfcf8'/>
<path d='M72 60c4-12 14-6 28 4c14-10 24-16 28-4c2 12-8 22-28 22s-30-10-28-22z' fill='#f6c445'/>
<path d='M76 48c0-14 16-14 24-2c8-12 24-12 24 2c0 12-10 20-24 20s-24-8-24-20z' fill='#fcfcf8'/>
<circle cx='87' cy='47' r='4.5' fill='#111'/><circle cx='113' cy='47' r='4.5' fill='#111'/>
<path d='M90 55h20l-10 14z' fill='#ee8b2c'/>
<path d='M66 182c2-10 28-10 30 0zM104 182c2-10 28-10 30 0z' fill='#ee8b2c'/>",
    },
    Drawing {
        label: "goldfish",
        shapes: r"<rect width='200' height='200' fill='url(#sea)'/><path d='M20 0l30 200h30L40 0zM110 0l10 200h30L140 0z' fill='#fff' fill-opacity='.09'/>
<path d='M0 178c50-14 150-14 200 0v22H0z' fill='#d8b272'/>
<path d='M24 186c-8-20 6-30-2-52c12 16 6 30 10 52zM38 188c-2-20 10-26 6-44c8 16 2 28 2 44zM170 186c8-22-6-34 2-58c6 20 10 34 6 58z' fill='#2f8a4c'/>
<path d='M62 100C34 62 12 60 8 74c8 6 12 14 12 26s-6 22-14 30c8 14 30 8 56-30z' fill='#f5862a'/><path d='M54 100C40 82 26 74 18 76M54 100H22M54 100C40 116 26 124 16 128' stroke='#ffb763' stroke-width='2.5' fill='none'/>
<path d='M86 66c6-26 40-30 60-12l-14 18z' fill='#f5862a'/><path d='M96 136c-2 20 12 28 26 24l2-26z' fill='#f5862a'/>
<path d='M48 100c20-38 62-46 94-36c26 8 42 22 44 36c-2 16-18 30-44 38c-32 8-74-2-94-38z' fill='#ff9d2e'/>
<path d='M60 112c30 26 80 26 118-4c-8 14-22 24-40 30c-30 8-62-2-78-26z' fill='#ffd08a'/>
<path d='M78 90q8 6 0 14M92 82q9 7 0 16M92 104q9 7 0 16M106 76q9 8 0 16M106 98q9 8 0 16M120 88q9 8 0 16M120 110q8 7 0 14' stroke='#e2731a' stroke-width='2.5' fill='none'/>
<path d='M142 66c-10 20-10 46 2 70' stroke='#e2731a' stroke-width='3' fill='none'/>
<path d='M126 112c-4 16-20 22-30 16c6-8 14-16 30-16z' fill='#f5862a'/>
<circle cx='162' cy='90' r='8' fill='#fff'/><circle cx='164' cy='90' r='5' fill='#111'/><path d='M186 102c-6 0-10 2-12 4' stroke='#b8550e' stroke-width='2.5' fill='none'/>
<circle cx='184' cy='60' r='5' fill='none' stroke='#d8f0fb' stroke-width='2'/><circle cx='178' cy='40' r='3.5' fill='none' stroke='#d8f0fb' stroke-width='2'/><circle cx='186' cy='24' r='6' fill='none' stroke='#d8f0fb' stroke-width='2'/>",
    },
    Drawing {
        label: "frog",
        shapes: r"<rect width='200' height='200' fill='url(#sea)'/><ellipse cx='100' cy='168' rx='92' ry='28' fill='#2f7a3a'/><ellipse cx='100' cy='164' rx='92' ry='27' fill='#4b9a4a'/><path d='M100 164l90-12M100 164l-88-12M100 164l-40 24M100 164l44 24' stroke='#7fc06a' stroke-width='2'/>
<path d='M8 40h40M140 24h36M20 74h16M168 70h24' stroke='#8cc6e4' stroke-width='2.5' stroke-linecap='round'/>
<path d='M46 160c-28 0-36-26-20-42c14-14 34-10 42 8zM154 160c28 0 36-26 20-42c-14-14-34-10-42 8z' fill='#4f9d2d'/>
<path d='M52 110c0-30 20-44 48-44s48 14 48 44c0 34-16 54-48 54s-48-20-48-54z' fill='#6cbf3c'/>
<ellipse cx='100' cy='134' rx='34' ry='28' fill='#e3efae'/>
<path d='M70 122c-4 18-6 30-4 42h16c0-14 0-26-2-38zM130 122c4 18 6 30 4 42h-16c0-14 0-26 2-38z' fill='#5cae31'/>
<path d='M54 170c2-8 8-10 12-8l8-4l8 6c6-2 10 2 10 8zM146 170c-2-8-8-10-12-8l-8-4l-8 6c-6-2-10 2-10 8zM16 162c6-8 24-8 34 2zM184 162c-6-8-24-8-34 2z' fill='#4f9d2d'/>
<ellipse cx='100' cy='84' rx='54' ry='32' fill='#76ca44'/>
<circle cx='66' cy='52' r='19' fill='#76ca44'/><circle cx='134' cy='52' r='19' fill='#76ca44'/><circle cx='66' cy='51' r='13' fill='#fbe36a'/><circle cx='134' cy='51' r='13' fill='#fbe36a'/>
<ellipse cx='66' cy='52' rx='9' ry='5' fill='#141414'/><ellipse cx='134' cy='52' rx='9' ry='5' fill='#141414'/>
<path d='M52 90c24 20 72 20 96 0' stroke='#2c6416' stroke-width='3.5' fill='none' stroke-linecap='round'/><circle cx='94' cy='76' r='2' fill='#2c6416'/><circle cx='106' cy='76' r='2' fill='#2c6416'/>",
    },
    Drawing {
        label: "butterfly",
        shapes: r"<rect width='200' height='200' fill='#a9d08e'/><circle cx='30' cy='170' r='50' fill='#8abf6c'/><circle cx='180' cy='30' r='60' fill='#bfe0a4'/><circle cx='170' cy='180' r='44' fill='#98c97c'/>
<g id='wings'><path d='M98 92C82 40 40 14 14 28c-10 30 12 70 84 76z' fill='#ef7d22' stroke='#1f140c' stroke-width='6'/>
<path d='M98 104C56 100 24 118 28 148c8 28 52 30 70-28z' fill='#f6a02c' stroke='#1f140c' stroke-width='6'/>
<path d='M98 96L30 40M98 98L22 66M98 98L60 32M98 108L40 150M98 110L62 166M98 106L32 128' stroke='#1f140c' stroke-width='3'/>
<circle cx='22' cy='36' r='3' fill='#fff'/><circle cx='20' cy='50' r='3' fill='#fff'/><circle cx='26' cy='70' r='3' fill='#fff'/><circle cx='40' cy='28' r='3' fill='#fff'/><circle cx='34' cy='142' r='3' fill='#fff'/><circle cx='44' cy='158' r='3' fill='#fff'/><circle cx='60' cy='162' r='3' fill='#fff'/></g>
<use href='#wings' transform='matrix(-1 0 0 1 200 0)'/>
<path d='M98 78C97 58 94 42 86 28M102 78C103 58 106 42 114 28' stroke='#1f140c' stroke-width='2.5' fill='none'/><circle cx='85' cy='27' r='3.5' fill='#1f140c'/><circle cx='115' cy='27' r='3.5' fill='#1f140c'/>
<ellipse cx='100' cy='118' rx='7' ry='42' fill='#2a1a10'/><circle cx='100' cy='82' r='8' fill='#2a1a10'/><path d='M94 108h12M94 120h12M95 132h10M96 144h8' stroke='#8a6a4a' stroke-width='2'/>",
    },
    Drawing {
        label: "ladybug",
        shapes: r"<rect width='200' height='200' fill='#cfe8b0'/>
<path d='M-10 190C10 60 110 6 216 18C206 110 110 196-10 190z' fill='url(#foliage)'/><path d='M-6 192C60 120 120 70 212 20M50 142l-8-50M50 142l56 18M100 98l-6-52M100 98l54 16M146 62l-4-34M146 62l36 10' stroke='#b9dc8a' stroke-width='3' fill='none'/>
<g transform='rotate(40 100 104)'>
<path d='M52 84l-20-12M46 108H24M52 132l-18 14M148 84l20-12M154 108h22M148 132l18 14' stroke='#111' stroke-width='6' stroke-linecap='round'/>
<path d='M90 44C86 30 78 24 70 22M110 44c4-14 12-20 20-22' stroke='#111' stroke-width='4' fill='none'/>
<ellipse cx='100' cy='56' rx='30' ry='24' fill='#151515'/><circle cx='82' cy='52' r='8' fill='#fff'/><circle cx='118' cy='52' r='8' fill='#fff'/>
<ellipse cx='100' cy='110' rx='54' ry='56' fill='#d9261c'/><ellipse cx='100' cy='110' rx='54' ry='56' fill='url(#shine)'/>
<path d='M100 56v110' stroke='#151515' stroke-width='4'/>
<circle cx='76' cy='84' r='10' fill='#151515'/><circle cx='124' cy='84' r='10' fill='#151515'/><circle cx='66' cy='116' r='10' fill='#151515'/><circle cx='134' cy='116' r='10' fill='#151515'/><circle cx='82' cy='144' r='9' fill='#151515'/><circle cx='118' cy='144' r='9' fill='#151515'/><ellipse cx='100' cy='66' rx='12' ry='9' fill='#151515'/></g>",
    },
    Drawing {
        label: "spider web",
        shapes: r"<rect width='200' height='200' fill='#26382c'/><circle cx='40' cy='150' r='60' fill='#33503a'/><circle cx='170' cy='50' r='70' fill='#2f4834'/>
<path d='M0 0h14v200H0zM0 0h200v12H0z' fill='#4c3826'/><path d='M5 0v200M10 0v200' stroke='#38291b'/>
<g fill='none' stroke='#eef3f5' stroke-width='1.6'>
<path d='M104 96L4 6M104 96L70 8M104 96L130 8M104 96L196 20M104 96L200 90M104 96L196 170M104 96L120 198M104 96L50 198M104 96L10 160M104 96L8 84'/>
<path d='M95 88Q97 84 101 85Q106 83 107 85Q112 84 113 88Q117 92 115 96Q117 102 113 104Q110 108 106 108Q100 110 98 107Q92 106 94 101Q91 97 95 88z'/>
<path d='M84 78Q90 70 95 72Q104 68 110 72Q120 70 124 80Q132 88 128 95Q132 106 124 113Q116 120 108 120Q98 122 92 118Q84 112 83 108Q78 100 83 94Q80 86 84 78z'/>
<path d='M70 66Q82 54 90 58Q104 52 113 56Q130 54 140 68Q150 82 146 95Q150 112 138 126Q126 136 110 136Q96 138 84 132Q70 126 68 118Q58 104 66 92Q62 78 70 66z'/>
<path d='M56 54Q72 38 84 44Q104 36 118 40Q142 38 156 57Q170 76 164 94Q170 118 154 139Q138 152 113 154Q94 158 77 148Q58 140 52 130Q38 110 46 90Q40 70 56 54z'/>
<path d='M42 40Q64 22 78 29Q104 20 122 26Q152 24 172 45Q190 72 184 93Q188 126 170 152Q150 170 116 172Q90 178 69 164Q44 154 36 142Q20 112 28 88Q22 60 42 40z'/></g>
<g transform='translate(104 97)'><path d='M-4-4l-14-12l-4-12M-5-1l-18-3l-8 8M-5 3l-14 8l-2 12M4-4l14-12l4-12M5-1l18-3l8 8M5 3l14 8l2 12' stroke='#0d0d0d' stroke-width='2.5' fill='none'/><ellipse cy='6' rx='9' ry='11' fill='#0d0d0d'/><circle cy='-7' r='6' fill='#1d1d1d'/><path d='M0 2l3 4l-3 4l-3-4z' fill='#c63b2b'/></g>",
    },
    Drawing {
        label: "snail",
        shapes: r"<use href='#meadow'/><path d='M0 172c60-10 140-10 200-2v30H0z' fill='#6b4a2c'/>
<ellipse cx='100' cy='176' rx='84' ry='8' fill='url(#shadow)'/>
<path d='M12 174c20-4 34-14 50-16h66c14 0 18-8 20-26c2-18 8-34 24-36c18-2 22 16 14 26c-8 10-8 20-10 32c-2 14-10 22-28 22H18c-6 0-8-2-6-2z' fill='#d9b98a'/>
<path d='M162 98c-2-20-6-32-12-42M174 98c4-20 8-32 14-40' stroke='#d9b98a' stroke-width='5' fill='none' stroke-linecap='round'/><circle cx='149' cy='54' r='6' fill='#d9b98a'/><circle cx='189' cy='56' r='6' fill='#d9b98a'/><circle cx='150' cy='53' r='3' fill='#111'/><circle cx='190' cy='55' r='3' fill='#111'/>
<circle cx='90' cy='112' r='54' fill='#a5642f'/><circle cx='90' cy='112' r='54' fill='url(#shine)'/>
<path d='M140 138c-20 34-86 30-94-18c-6-40 40-68 72-42c26 22 14 66-20 64c-26-2-32-36-10-44c18-6 30 18 14 28' stroke='#5b3113' stroke-width='7' fill='none' stroke-linecap='round'/>
<path d='M176 130c4 3 8 3 11 0' stroke='#7a5730' stroke-width='2' fill='none'/>",
    },
];
