"""What a column's name means: a table of words that a person can read and extend.

`names` cuts a name into words ("tr_depth_errneg": tr, depth, errneg), `WORDS` gives each word its
tags (depth; error and low), and the tags together give the role (the lower error of a depth). Words
that say nothing are the column's label: "depth A" and "error A" belong together. To teach the
program the columns of another code, add its words.
"""

from __future__ import annotations

#: The roles that a column can have, as `--columns` takes them, and what they mean.
ROLES = {
    "wavelength": "bin centre",
    "wavenumber": "bin centre, in cm-1",
    "low_edge": "shorter end of the bin",
    "high_edge": "longer end of the bin",
    "half_width": "half of the bin's width",
    "full_width": "the bin's width",
    "width": "the bin's width, half or full: as the bins touch",
    "depth": "(Rp/Rs)^2",
    "rp_rs": "Rp/Rs, squared on reading",
    "error": "1-sigma error",
    "error_up": "1-sigma error upward",
    "error_low": "1-sigma error downward, either sign",
    "instrument": "name of the instrument, detector or order",
    "quality": "0 where the point is good",
    "good": "0 where the point is bad",
    "limit": "0 where the value is no limit",
    "planet": "name of the planet",
    "star_radius": "in R_sun",
}
#: Roles of columns that are left out.
IGNORED, DIFFERENCE, UNKNOWN = "ignored", "difference", ""

#: Tag -> words that carry it. Two tags: "error+low". Sources: Eureka! (wavelength, bin_width,
#: tr_depth, tr_depth_errneg), FIREFLy (wv_center, wv_wdth, tran_unc), exoTEDRF and supreme-SPOON
#: (wave, wave_err, dppm, dppm_err, order), stctm (wave, waveMin, waveMax, yval, yerrLow, yerrUpp),
#: Pyrat Bay (depth, uncert, half width, filter), the Exoplanet Archive (CENTRALWAVELNG, PL_TRANDEP,
#: PL_TRANDEPERR1), VizieR (e_Depth), and tables in papers.
WORDS = {
    "wave": "wavelength wavelengths wave waves wl wls wlen wln wvl wvln wv wav wavs wavel wavelen "
    "wavelng wavelgth lambda lambdas lam lmbda λ wlgrid wavegrid wlum",
    "wave+centre": "centralwavelng centralwavelength wavcen wavecenter wavecentre wlcenter "
    "wlcentre wlmid lambda0",
    "wavenumber": "wavenumber wavenumbers wn wno wnumber wngrid",
    "centre": "center centre centers centres central cen mid middle midpoint midpoints ctr",
    "bin": "bin bins channel channels",
    "edge": "edge edges bound bounds boundary limit",
    "width": "width widths wdth wdths wid size sizes binwidth binwidths bandwidth binsize bw dbin "
    "spacing",
    "wave+width": "dlam dlambda dwave dwav dwl dwvl dwavelength wlwidth wavewidth wlerr waveerr "
    "werr xerr deltalambda deltawave deltawavelength wlbin δλ wlbinwidth",
    "half+width": "hwave hwav hwl halfwidth halfwidths hw hwhm binhalfwidth halfbin semiwidth",
    "full+width": "fullwidth fullwidths fwhm fw",
    "half": "half semi",
    "full": "full total whole",
    "delta": "delta δ",
    "wave+min": "lam1 lambda1 wavemin wlmin lambdamin wavelengthmin wavelow wllow waveleft wlstart",
    "wave+max": "lam2 lambda2 wavemax wlmax lambdamax wavelengthmax wavehigh wlhigh waveright "
    "wlend wlupp",
    "min": "min minimum from blue",
    "max": "max maximum to red",
    "edge+min": "start begin left",
    "edge+max": "end stop right",
    "low": "low lower lo minus neg negative down dn dw downward lowerr 16 16th q16 p16",
    "up": "up upper upp plus pos positive hi high upward uperr 84 84th q84 p84",
    "depth": "depth depths trdepth tdepth trandep transitdepth transitdepths td dppm depthppm "
    "rprs2 rp2rs2 rp2 absorption yval plntransdep",
    "transit": "tr tran trans transit transits transmission tspec transmspec spectrum spec "
    "transpec",
    "ratio": "rprs rpr rors ror ratror rrat radiusratio plnratror",
    "error": "err errs error errors unc uncs uncert uncerts uncertainty uncertainties sigma sig "
    "sigmas std stds stddev stdev stdv σ deviation precision unct uncty 1sigma 1σ sd errorbar "
    "errorbars dev",
    "depth+error": "derr deptherr deptherror dpptherr depthunc yerr yunc deptherrs derror "
    "tderr trerr ddepth trandeperr trdeptherr dppmerr",
    "depth+error+up": "trandeperr1 plntransdeperr1 yerrupp yerrup yerrpos yerrhigh depthup derrup",
    "depth+error+low": "trandeperr2 plntransdeperr2 yerrlow yerrlo yerrneg derrlow",
    "ratio+error": "rprserr rprserror rprsunc rorerr",
    "ratio+error+up": "ratrorerr1 plnratrorerr1",
    "ratio+error+low": "ratrorerr2 plnratrorerr2",
    "error+up": "errpos errup errupp errupper errhi errhigh errplus errp uncup uncupper "
    "sigmaup errorup errorupper errorplus errorpos ep eup",
    "error+low": "errneg errlow errlo errlower errminus errm errdown uncdown unclow unclower "
    "sigmalow errorlow errorlower errorminus errorneg em elow",
    "limit": "trandeplim plntransdeplim plnratrorlim lim ulim sign",
    "instrument": "instrument instruments inst instr instname instrname instrumentname detector "
    "detectors det grating disperser mode telescope facility dataset observatory nrs grism setup "
    "configuration visit visits epoch",
    "filter": "filter bandpass passband band",
    "order": "order orders spectralorder",
    "quality": "quality flag flags dq dqflag mask masked excluded clipped saturated bad badpix "
    "badpixel badpixels outlier outliers rejected qflag ignore ignored",
    "good": "good valid use used ok included kept",
    "planet": "planetname plname plntname",
    "ignored": "ecl eclipse emission fpfs fp model models fit bestfit residual residuals ecldepth "
    "resolution snr flux chi2 authors author url reference ref reflink bibcode doi link comment "
    "comments covariance cov correlation time times bjd mjd hjd jd duration date phase u1 u2 u3 u4 "
    "occultation occultations occ secondary dayside nightside thermal amplitude eclipses "
    "eclipsedepth especlipdep rms scatter",
    "difference": "relative differential rel diff difference excess offset",
}
#: Words that say nothing about the role, and do not tell spectra apart.
FILLERS = (
    "of on in the and column columns col value values val data observed obs measured median mean "
    "best 50 50th q50 p50 "
    " pl planet planetary number no 1 sq squared radius length with for per array is units unit "
    " name star stellar exoplanet points point pixel pixels"
)
#: Whole names whose words would mislead.
EXACT = {
    "x": "wavelength",
    "y": "depth",
    "dx": "half_width",
    "rprs_data2": "depth",  # PICASO's tutorials, of (Rp/Rs)^2
    "rp_value": "rp_rs",  # Eureka!, whose rp is in stellar radii
    "rp_errorneg": "error_low",
    "rp_errorpos": "error_up",
    "stellar_radius": "star_radius",
    "star_radius": "star_radius",
    "st_rad": "star_radius",
    "r_star": "star_radius",
    "rstar": "star_radius",
    "pl_name": "planet",
    "planet": "planet",
    "planet_name": "planet",
    "target": "planet",
    "target_name": "planet",
    "object": "planet",
}
